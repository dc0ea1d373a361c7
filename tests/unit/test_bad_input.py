"""Whatever is given, settings hold or are refused in one sentence that says where it was given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paddock.errors import UsageError
from paddock.sessions.configuration import SessionConfiguration
from paddock.settings import pyproject
from paddock.settings.kinds import LONGEST
from paddock.settings.resolution import VARIABLES_OF_OTHERS, resolve
from paddock.settings.table import BY_NAME, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.settings.table import Option

ROOT = Path(__file__).parents[2]
NASTY = [
    *("", " ", "\0", "\n", "-", "0", "-0", "nan", "inf", "1e999", "1e-999", "9" * 400, "9" * 5000, "1_0", "٣", "{"),
    *("\ud800", "1Gi", "1gi", "Ki", "1.Mi", "a,b", ",", "true", "kubernetes"),
]
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))
SCALARS = st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.dates(), st.times())
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3))
)
KEYS = st.one_of(
    st.sampled_from([*BY_NAME, "sessions", "pod", "services", "image", "port", "readiness", "nodes"]), TEXTS
)


def complaint(call: Callable[[], object]) -> str:
    """Return what is refused in a call, or nothing; anything but a UsageError is a failure."""
    try:
        call()
    except UsageError as error:
        return str(error)
    return ""


def check(flags: Any, environment: Any, table: Any) -> None:
    """Resolve, and check what a person would see and what the rest of Paddock would get."""
    try:
        made = resolve(flags, environment, table)
    except UsageError as error:
        message = str(error)
        assert message.endswith((".", "?")), message
        assert "\n" not in message, message
        assert re.search(r"--paddock|PADDOCK|\[tool\.paddock", message), message
        return
    limits = [made.deadline, made.grace, *vars(made.limits).values()]
    assert all(0 < limit <= LONGEST for limit in limits)
    assert resolve({one: value.text for one, value in made.given.items() if value.text}, {}, {}).limits == made.limits


@given(
    flags=st.dictionaries(st.sampled_from(sorted(BY_NAME)), TEXTS),
    environment=st.dictionaries(st.sampled_from([option.environment for option in OPTIONS]), TEXTS),
    table=st.dictionaries(KEYS, VALUES),
)
@example(flags={"deadline": "9" * 5000}, environment={}, table={})
@example(flags={}, environment={}, table={"grace": float("nan")})
@example(flags={}, environment={}, table={"deadline": 10**5000})
@example(flags={}, environment={}, table={"env": {"A": "{database}", "PYTHONPATH": "{database.host}"}})
def test_anything_is_settings_or_one_sentence(flags: Any, environment: Any, table: Any) -> None:
    """No text and no TOML value raises anything but a UsageError, and numbers can be waited for."""
    check(flags, environment, table)


@given(table=st.dictionaries(KEYS, VALUES), given_=st.dictionaries(KEYS, VALUES))
def test_a_noxfiles_choices_are_taken_or_refused_in_one_sentence(table: Any, given_: Any) -> None:
    """The table of the sessions and the keywords of ``register`` are held to the same."""
    document = pyproject.Pyproject({"sessions": table})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyproject, "read", lambda _: document)
        assert "\n" not in complaint(lambda: SessionConfiguration.load(Path("/nowhere"), given_))


@given(content=st.binary(max_size=60))
@example(content=b"tool = 3")
@example(content=b"[tool]\npaddock = []")
@example(content=b"[tool.paddock]\ndeadline = " + b"9" * 5000)
@example(content=b"a = " + b"[" * 5000)
def test_any_file_is_a_table_or_one_sentence(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A pyproject.toml of any bytes is read, or told by its path."""
    folder = tmp_path_factory.mktemp("project", numbered=True)
    (folder / "pyproject.toml").write_bytes(content)
    message = complaint(lambda: pyproject.read(folder))
    assert "\n" not in message
    assert not message or str(folder) in message


SHAPES = [
    ("[tool.paddock]\n{key} = {value}\n", 2),
    ("# first\n\n[tool.paddock]\n# why\n{key} = {value}\n", 5),
    ('[tool.x]\na = """\n[tool.paddock]\n{key} = 1\n"""\n{key} = 2\n[tool.paddock]\n\n{key} = {value}', 9),
    ("[tool]\nx = 1\npaddock.{key} = {value}\n", 3),
    ("tool.paddock.{key} = {value}\n", 1),
    ("[tool]\npaddock = {{ {key} = {value} }}\n", 2),
    ("[[x]]\na = [\n  1,\n]\n['tool' . \"paddock\"]\n{key} = {value}\n", 6),
]


@pytest.mark.parametrize(("shape", "line"), SHAPES)
def test_a_mistake_in_the_file_names_its_line(shape: str, line: int, tmp_path: Path) -> None:
    """However TOML writes a key: the message holds file and line, as editors and terminals open them."""
    file = tmp_path / "pyproject.toml"
    for key, value in (("grace", "'soon'"), ("graec", "3"), ("env", "{A = '{database.hots}'}"), ("env", "{B = 1}")):
        file.write_text(shape.format(key=key, value=value), encoding="utf-8")
        with pytest.raises(UsageError, match=re.escape(f"{file}:{line} ")):
            resolve({}, {}, pyproject.read(tmp_path))


def test_a_table_is_found_at_its_header(tmp_path: Path) -> None:
    """And what does not stand in the file, at the nearest table around it."""
    (tmp_path / "pyproject.toml").write_text("[tool.x]\n[tool.paddock]\ngrace = 3\n# end\n", encoding="utf-8")
    document = pyproject.read(tmp_path)
    assert document.place() == document.place("nowhere") == f"{tmp_path}/pyproject.toml:2"


def test_a_mistake_in_the_sessions_table_names_its_line(tmp_path: Path) -> None:
    """The noxfile's table is held to the same, with the nearest key."""
    (tmp_path / "pyproject.toml").write_text("[tool.paddock.sessions]\nfolder = '.'\nworker = 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"pyproject\.toml:3 has the unknown key 'worker'\. Did you mean 'workers'\?"):
        SessionConfiguration.load(tmp_path, {})


@pytest.mark.parametrize("text", ["1Ki", "512Mi", "1.5Gi", "100m", "2", "3k", "1E"])
def test_what_kubernetes_takes_for_a_quantity_is_taken(text: str) -> None:
    """Both families of suffixes, and k small where it is decimal."""
    assert resolve({"worker-memory": text}, {}, {}).worker_memory == text


@pytest.mark.parametrize("text", ["1ki", "1K", "1mi", "1 Gi", "-1", "1e3Mi", "Mi", "1.5.5"])
def test_what_kubernetes_refuses_as_a_quantity_is_refused(text: str) -> None:
    """Told before a namespace is made, not by the API server after."""
    with pytest.raises(UsageError, match="expected a Kubernetes quantity"):
        resolve({"worker-memory": text}, {}, {})


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: str(option.name))
def test_a_slip_in_a_variables_name_is_told(option: Option) -> None:
    """A setting that would silently not hold is named with the one that was meant."""
    if option.name == "enabled":
        return
    wrong = option.environment + "S"
    with pytest.raises(UsageError, match=f"{wrong} is unknown. Did you mean {option.environment}"):
        resolve({}, {wrong: "1"}, {})


def test_no_variable_of_ours_is_taken_for_a_slip() -> None:
    """Every variable that the sources speak of is an option, or passes."""
    sources = [path.read_text(encoding="utf-8") for path in ROOT.glob("runner/**/*.py")]
    named = {name for text in sources for name in re.findall(r"\bPADDOCK_[A-Z_]*[A-Z]\b", text)} | VARIABLES_OF_OTHERS
    assert {"PADDOCK_CACHE", "PADDOCK_FACTS", "PADDOCK_NAMESPACE", "PADDOCK_RUN"} <= named
    options = {option.environment for option in OPTIONS}
    resolve({}, dict.fromkeys(named - options, "1"), {})
