from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import UsageError
from paddock.settings.documentation import documentation
from paddock.settings.resolution import Settings, read_pyproject, resolve
from paddock.settings.table import LIMITS, OPTIONS, Source, is_enabled
from paddock.specs import ImageChoices, PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.settings.table import Raw

DOCUMENT = Path(__file__).parents[2] / "docs" / "options.md"


@pytest.mark.parametrize(
    "text",
    ["localhost", "localhost:5001", "registry.example.org", "r.example.org:5000/team/paddock", "mirror:5000/a_b"],
)
def test_a_registry_is_a_host_and_a_path(text: str) -> None:
    """As image references have it; both names of the place reach the images."""
    made = resolve({"registry": text, "nodes-registry": "localhost:5/x"}, {}, {}).image_choices(Path())
    assert (made.registry, made.nodes_registry) == (text, "localhost:5/x")


@pytest.mark.parametrize(
    "text",
    ["team/paddock", "https://r.example.org/team", "r.example.org/Team", "r.example.org/team/", "r.example.org:/a", ""],
)
def test_what_is_no_registry_is_refused(text: str) -> None:
    """A reference would mean something else, or nothing."""
    with pytest.raises(UsageError, match=r"such as registry\.example\.org/team/paddock"):
        resolve({"registry": text}, {}, {})


def test_another_name_of_no_registry_is_refused() -> None:
    """It would do nothing."""
    with pytest.raises(UsageError, match=r"--paddock-nodes-registry is .* add --paddock-registry=REGISTRY/PATH"):
        resolve({"nodes-registry": "localhost:5/x"}, {}, {})


def test_documentation_is_made_from_the_table() -> None:
    """docs/options.md is what the table gives now."""
    assert DOCUMENT.read_text(encoding="utf-8") == documentation()


def test_every_phase_limit_has_its_option() -> None:
    """A new field of PhaseLimits cannot be forgotten here, nor its default differ."""
    assert resolve({}, {}, {}).limits == PhaseLimits()
    assert list(LIMITS) == [limit.name for limit in fields(PhaseLimits)]


def test_names_are_unique_everywhere() -> None:
    """No two options share a flag, a variable or an attribute."""
    for attribute in ("name", "flag", "environment", "destination"):
        values = [getattr(option, attribute) for option in OPTIONS]
        assert len(values) == len(set(values)), attribute


def test_defaults_are_of_their_own_kind() -> None:
    """Every default can be typed by a user and gives the type that Settings declares."""
    made = resolve({}, {}, {})
    assert (made.engine, made.context, made.kubeconfig, made.deadline, made.grace) == (
        "kubernetes",
        None,
        None,
        7200,
        10.0,
    )
    assert (made.worker_memory, made.worker_cpu, made.variables) == ("1Gi", "100m", ())
    assert type(made.deadline) is int


@given(chosen=st.sets(st.sampled_from([Source.FLAG, Source.ENVIRONMENT, Source.PYPROJECT])))
def test_the_nearer_source_wins(chosen: set[Source]) -> None:
    """Flag > environment > pyproject > default, whichever of them are given."""
    flags = {"deadline": str(int(Source.FLAG))} if Source.FLAG in chosen else {}
    environment = {"PADDOCK_DEADLINE": str(int(Source.ENVIRONMENT))} if Source.ENVIRONMENT in chosen else {}
    table = {"deadline": int(Source.PYPROJECT)} if Source.PYPROJECT in chosen else {}
    made = resolve(flags, environment, table)
    expected = max(chosen, default=Source.DEFAULT)
    assert made.given["deadline"].source is expected
    assert made.deadline == (int(expected) or 7200)


@pytest.mark.parametrize(
    ("flags", "environment", "table", "sentence"),
    [
        ({"deadline": "soon"}, {}, {}, "--paddock-deadline is 'soon'; expected seconds, a whole number above zero."),
        ({"deadline": "-1"}, {}, {}, "--paddock-deadline is '-1'; expected seconds, a whole number above zero."),
        ({"image-limit": "inf"}, {}, {}, "--paddock-image-limit is 'inf'; expected seconds, a number above zero."),
        (
            {},
            {"PADDOCK_WORKER_MEMORY": "1 GB"},
            {},
            (
                "the environment variable PADDOCK_WORKER_MEMORY is '1 GB'; "
                "expected a Kubernetes quantity such as 512Mi, 1Gi, 100m or 2."
            ),
        ),
        (
            {},
            {},
            {"grace": "10"},
            "'grace' in [tool.paddock] of pyproject.toml is '10'; expected seconds, a number above zero.",
        ),
        (
            {},
            {},
            {"deadline": True},
            "'deadline' in [tool.paddock] of pyproject.toml is True; expected seconds, a whole number above zero.",
        ),
        ({"engine": "docker"}, {}, {}, "--paddock-engine is 'docker'; expected one of kubernetes, local, auto."),
        (
            {"run-id": "UPPER"},
            {},
            {},
            "--paddock-run-id is 'UPPER'; expected 1 to 20 lower-case letters, digits and inner hyphens.",
        ),
        (
            {"env": ["A-B"]},
            {},
            {},
            "--paddock-env is 'A-B'; expected names of environment variables, separated by commas.",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence_with_its_origin(
    flags: Mapping[str, Raw],
    environment: Mapping[str, str],
    table: Mapping[str, object],
    sentence: str,
) -> None:
    """The message names where the value came from, the value, and what was expected."""
    with pytest.raises(UsageError) as caught:
        resolve(flags, environment, table)
    assert str(caught.value) == sentence


def test_an_option_can_have_a_table_of_its_own() -> None:
    """``image`` is a reference or the table of its packages; the other tables hold what their name begins with."""
    made = resolve({}, {}, {"image": {"packages": ["git", "g++"]}, "database": {"version": 15}})
    assert (made.image, made.image_packages, made.database_version) == (None, ("git", "g++"), "15")
    assert resolve({}, {}, {"image": "registry.example.org/team/tests:1"}).image == "registry.example.org/team/tests:1"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"image": {"package": []}}, "unknown key 'image.package'. Did you mean 'image.packages'?"),
        (
            {"image": {"packages": ["-o=x"]}},
            "'image.packages' in [tool.paddock] of pyproject.toml is '-o=x'; expected names",
        ),
        (
            {"database": {"version": 9}},
            "'database.version' in [tool.paddock] of pyproject.toml is '9'; expected a major",
        ),
        ({"image": "--output=x"}, "'image' in [tool.paddock] of pyproject.toml is '--output=x'; expected a reference"),
    ],
)
def test_keys_of_such_tables_are_checked_like_all_others(table: Mapping[str, object], sentence: str) -> None:
    """With the name that stands in the file; nothing that a program could take for its option gets through."""
    with pytest.raises(UsageError) as caught:
        resolve({}, {}, table)
    assert sentence in str(caught.value)


def test_configuration_files_count_from_rootdir() -> None:
    """As pyproject.toml, which names them, lies there."""
    made = resolve({}, {}, {"broker": {"configuration": "own/mosquitto.conf"}}).image_choices(Path("/srv/project"))
    assert made == ImageChoices(broker_configuration=Path("/srv/project/own/mosquitto.conf"))


def test_an_unknown_key_names_the_nearest() -> None:
    """A slip of the pen in pyproject.toml is told with the name that was meant."""
    with pytest.raises(UsageError, match=r"unknown key 'worker_memry'. Did you mean 'worker-memory'\?"):
        resolve({}, {}, {"worker_memry": "1Gi"})


def test_a_key_like_no_other_lists_all() -> None:
    """With nothing near, all keys are told; those that make no sense in a file are not among them."""
    with pytest.raises(UsageError, match=r"unknown key 'zzz'\. Known keys: engine, context") as caught:
        resolve({}, {}, {"zzz": 1})
    assert "run-id" not in str(caught.value)


def test_repeated_names_are_joined() -> None:
    """A list in TOML, a flag given twice and commas in the environment mean the same."""
    by_flags = resolve({"env": ["A", "B"]}, {}, {}).variables
    by_environment = resolve({}, {"PADDOCK_ENV": "A, B"}, {}).variables
    by_table = resolve({}, {}, {"env": ["A", "B"]}).variables
    assert by_flags == by_environment == by_table == ("A", "B")


def test_arguments_bring_the_same_settings_to_a_child() -> None:
    """What was given is passed on as flags; defaults are not."""
    first = resolve({"env": ["A", "B"], "run-id": "k7x2mq"}, {"PADDOCK_GRACE": "3"}, {"worker-cpu": "2"})
    arguments = first.to_arguments()
    assert arguments == [
        "--paddock-grace=3",
        "--paddock-run-id=k7x2mq",
        "--paddock-worker-cpu=2",
        "--paddock-env=A",
        "--paddock-env=B",
    ]
    assert resolve(_flags(arguments), {}, {}) == first


def _flags(arguments: list[str]) -> dict[str, Raw]:
    found: dict[str, Raw] = {}
    for argument in arguments:
        flag, _, text = argument.partition("=")
        option = next(option for option in OPTIONS if option.flag == flag)
        found[option.name] = [*(found.get(option.name) or []), text] if option.kind.repeated else text
    return found


@pytest.mark.parametrize(
    ("text", "size"), [("500", 500), ("2k", 2000), ("3Ki", 3072), ("200Mi", 200 << 20), ("1G", 10**9)]
)
def test_sizes_are_written_as_kubernetes_writes_them(text: str, size: int) -> None:
    """A number of bytes with a decimal or a binary unit."""
    assert resolve({"sources-size": text}, {}, {}).sources_size == size


@pytest.mark.parametrize("text", ["", "0", "1.5Mi", "12 MB", "5i", "-1"])
def test_other_sizes_are_refused(text: str) -> None:
    """What looks like a size and is none is not guessed at."""
    with pytest.raises(UsageError, match="expected a size such as"):
        resolve({"sources-size": text}, {}, {})


@pytest.mark.parametrize("text", ["/etc/passwd", "../sibling", "a/../../b"])
def test_patterns_stay_below_the_root(text: str) -> None:
    """Only what lies below the root travels, in either direction."""
    for name in ("include", "exclude", "artifacts"):
        with pytest.raises(UsageError, match="expected patterns of paths below the project's root"):
            resolve({name: [text]}, {}, {})


def test_each_run_draws_its_own_id() -> None:
    """Two runs side by side do not share namespaces."""
    assert resolve({}, {}, {}).run_id != resolve({}, {}, {}).run_id


@pytest.mark.parametrize(("text", "wanted"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)])
def test_the_variable_switches_paddock_on(text: str, wanted: bool) -> None:  # noqa: FBT001 - a table of cases
    """PADDOCK=1 is --paddock; PADDOCK=0 and an empty one are not."""
    assert is_enabled(None, {"PADDOCK": text}) is wanted


def test_a_variable_that_is_neither_is_refused() -> None:
    """PADDOCK=perhaps is a mistake and not a no."""
    with pytest.raises(UsageError, match="PADDOCK is 'perhaps'; expected true or false"):
        is_enabled(None, {"PADDOCK": "perhaps"})


def test_explain_tells_where_each_value_came_from() -> None:
    """Provenance can be read by a person."""
    lines = resolve({"deadline": "5"}, {}, {}).explain()
    assert "deadline = 5 (--paddock-deadline)" in lines
    assert "grace = 10 (default)" in lines


def test_pyproject_is_read_where_it_is(tmp_path: Path) -> None:
    """No file and no table mean no settings; a broken file is a usage error that names it."""
    assert read_pyproject(tmp_path) == {}
    (tmp_path / "pyproject.toml").write_text("[tool.paddock]\ngrace = 3\n", encoding="utf-8")
    assert read_pyproject(tmp_path) == {"grace": 3}
    (tmp_path / "pyproject.toml").write_text("[tool.paddock\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"pyproject.toml cannot be read as TOML"):
        read_pyproject(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool]\npaddock = 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="expected a table of options"):
        read_pyproject(tmp_path)


def test_settings_hold_what_the_table_declares() -> None:
    """Each field of Settings comes from the table, and each option reaches a field."""
    names = {field.name for field in fields(Settings)} - {
        "limits",
        "given",
        "variables",
        "templates",
        "additions",
        "services",
        "devices",
    }
    phases = {f"{name}-limit" for name in LIMITS}
    options = {option.name.replace("-", "_") for option in OPTIONS if option.name not in phases}
    assert names == options - {"enabled", "env", "pod_patch"}


def test_a_broker_of_their_own_is_what_workers_have_unless_it_is_said_otherwise() -> None:
    """R0: by the names that suites have for it, too; ours wins, and a word that is neither is told."""
    assert resolve({}, {}, {}).broker_per_worker
    for name in ("TEST_PER_WORKER_BROKERS", "USE_PER_WORKER_BROKERS"):
        assert not resolve({}, {name: "false"}, {}).broker_per_worker
        assert resolve({}, {name: "false", "PADDOCK_BROKER_PER_WORKER": "true"}, {}).broker_per_worker
        assert resolve({"broker-per-worker": "true"}, {name: "false"}, {}).broker_per_worker
    assert not resolve({}, {}, {"broker": {"per-worker": False}}).broker_per_worker
    with pytest.raises(UsageError, match="expected true or false"):
        resolve({}, {"TEST_PER_WORKER_BROKERS": "perhaps"}, {})


def test_what_brokers_are_given_fits_together_or_is_told() -> None:
    """An authority is two files, and certificates of one run are no good for the next."""
    for half in ("broker-ca", "broker-ca-key"):
        with pytest.raises(UsageError, match="An authority of your own for brokers is two files"):
            resolve({half: "x"}, {}, {})
    with pytest.raises(UsageError, match="--paddock-broker-tls and --paddock-reuse do not go together"):
        resolve({"reuse": "true"}, {}, {"broker": {"tls": True}})
    assert resolve({}, {}, {"broker": {"tls": True, "ca": "a", "ca-key": "b"}}).broker_tls
