"""Options and kinds of tests that must mean what they mean under stock xdist.

Each case is run twice, with namespaces and with stock ``-n 2``, and what a person reads must be the same: exit code,
figures, and the short summary's lines. The law is the comparison; a case only says what is compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.contract.plugin.running import Result, Run


@dataclass(frozen=True, kw_only=True)
class Sameness:
    """One comparison with stock xdist."""

    name: str
    args: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    finds: Sequence[str] = ()
    """What must stand in both outputs, so that two empty runs are not the same."""


MOTLEY = {
    "conftest.py": """
        import pytest
        pytest_plugins = ["plugin_of_ours"]

        @pytest.fixture
        def level(): return "top"
    """,
    "plugin_of_ours.py": "import pytest\n@pytest.fixture\ndef from_plugin(): return 7\n",
    "inner/conftest.py": "import pytest\n@pytest.fixture\ndef level(level): return level + '/inner'\n",
    "inner/test_inner.py": "def test_level(level, from_plugin): assert (level, from_plugin) == ('top/inner', 7)\n",
    "test_unittest.py": """
        import unittest
        class TestCases(unittest.TestCase):
            @classmethod
            def setUpClass(cls): cls.shared = 1
            def test_good(self): self.assertEqual(self.shared, 1)
            def test_bad(self): self.assertEqual(self.shared, 2)
            @unittest.skip("not today")
            def test_skipped(self): pass
            @unittest.expectedFailure
            def test_expected(self): self.fail()
            def test_parts(self):
                for n in range(3):
                    with self.subTest(n=n):
                        self.assertNotEqual(n, 1)
    """,
    "test_marks.py": """
        import warnings, pytest
        def test_warns(): warnings.warn("an old way", UserWarning)
        @pytest.mark.xfail
        def test_fails_as_expected(): assert 0
        @pytest.mark.xfail
        def test_passes_unexpectedly(): pass
        @pytest.mark.skipif(True, reason="never")
        def test_skipped(): pass
        def test_fails(): assert {"a": 1} == {"a": 2}
        @pytest.fixture
        def broken(): raise ValueError("in a fixture")
        def test_error(broken): pass
    """,
    "test_ids.py": """
        import pytest
        LONG = pytest.param(1, id="x" * 3000)
        @pytest.mark.parametrize("text", ["käse", "日本語", "a b", LONG, "slash/colon::brackets[]", ""])
        def test_id(text): pass
    """,
    "test_windows.py": "def test_line_ends():\r\n    assert 'a' == 'a'\r\n",
    "documented.py": '''
        def double(n):
            """
            >>> double(2)
            4
            >>> double(3)
            7
            """
            return 2 * n
    ''',
}

SAMENESS = [
    Sameness(
        name="a_motley_project",
        args=["-rA", "--doctest-modules", "--tb=short"],
        files=MOTLEY,
        finds=["PASSED test_ids.py::test_id[\\u65e5\\u672c\\u8a9e]", "SUBFAILED", "003"],
    ),
    Sameness(
        name="a_configuration_elsewhere",
        args=["-c", "ini/other.ini", "-rA"],
        files={
            "ini/other.ini": "[pytest]\npython_files = check_*.py\naddopts = -m fast\nmarkers = fast\n",
            "check_a.py": "import pytest\n@pytest.mark.fast\ndef test_a(): pass\ndef test_b(): pass\n",
            "test_c.py": "def test_c(): pass\n",
        },
        finds=["PASSED ini/check_a.py::test_a"],
    ),
    Sameness(
        name="a_folder_below_the_root",
        args=["-rA", "--rootdir=.", "below"],
        files={
            "pytest.ini": "[pytest]\npythonpath = lib\n",
            "lib/helper.py": "VALUE = 1\n",
            "below/test_b.py": "import helper\ndef test_b(request): assert request.config.rootpath.name != 'below'\n",
        },
        finds=["PASSED below/test_b.py::test_b"],
    ),
    *(
        Sameness(
            name=f"import_mode_{mode}",
            args=["-rA", f"--import-mode={mode}"],
            files={
                "a/test_mode.py": "import sys\ndef test_mode(): assert __name__ in sys.modules\n",
                "b/test_other.py": "def test_other(): pass\n",
            },
            finds=["PASSED a/test_mode.py::test_mode"],
        )
        for mode in ("append", "importlib")
    ),
    Sameness(
        name="a_warning_can_be_an_error",
        args=["-rA", "-W", "error::UserWarning"],
        files={"test_w.py": "import warnings\ndef test_w(): warnings.warn('old', UserWarning)\ndef test_g(): pass\n"},
        finds=["FAILED test_w.py::test_w - UserWarning: old"],
    ),
    Sameness(
        name="collection_errors_may_be_passed_over",
        args=["-rA", "--continue-on-collection-errors"],
        files={"test_bad.py": "import nothing_of_that_name\n", "test_good.py": "def test_g(): pass\n"},
        finds=["ERROR test_bad.py"],
    ),
    Sameness(
        name="a_plugin_that_only_exists_in_the_tree",
        args=["-p", "tools.pytest_ours", "-rA", "--answer=42"],
        files={
            "tools/__init__.py": "",
            "tools/pytest_ours.py": "def pytest_addoption(parser): parser.addoption('--answer')\n",
            "test_t.py": "def test_t(pytestconfig): assert pytestconfig.getoption('answer') == '42'\n",
        },
        finds=["PASSED test_t.py::test_t"],
    ),
    Sameness(
        name="options_of_the_environment",
        args=["-p", "no:doctest", "-rA"],
        environment={"PYTEST_ADDOPTS": "-k 'not b' --deselect test_o.py::test_c"},
        files={"test_o.py": "def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\n"},
        finds=["PASSED test_o.py::test_a", "1 passed"],
    ),
    Sameness(
        name="the_slowest_tests",
        args=["--durations=1", "--durations-min=0.05", "-rA"],
        files={"test_d.py": "import time\ndef test_slow(): time.sleep(0.2)\ndef test_quick(): pass\n"},
        finds=["slowest 1 durations", "s call     test_d.py::test_slow"],
    ),
    Sameness(
        name="a_temporary_folder_of_the_users",
        args=["--basetemp=scratch/temporary", "-rA"],
        files={
            "scratch/kept.txt": "",
            "test_t.py": "def test_t(tmp_path, pytestconfig): "
            "assert (pytestconfig.invocation_params.dir / 'scratch/temporary') in tmp_path.parents\n",
        },
        finds=["PASSED test_t.py::test_t"],
    ),
    Sameness(
        name="ten_thousand_parameters",
        files={"test_m.py": "import pytest\n@pytest.mark.parametrize('n', range(10000))\ndef test_n(n): pass\n"},
        finds=["10000 passed"],
    ),
]


def check(run: Run, case: Sameness) -> None:
    """Run a case both ways and compare what a person reads."""
    arguments = ["-n2", *case.args]
    ours = run(*arguments, files=case.files, environment=case.environment)
    stock = run(*arguments, environment=case.environment, paddock=False)
    for text in case.finds:
        assert text in stock.out, (text, stock)
        assert text in ours.out, (text, ours)
    assert (ours.code, ours.counts, summary(ours)) == (stock.code, stock.counts, summary(stock)), (ours, stock)


def summary(result: Result) -> list[str]:
    """Return the lines of the short summary, in an order that does not depend on which worker was first."""
    lines = re.findall(r"^(?:PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS|SUBF\w*).*$", result.out, flags=re.MULTILINE)
    return sorted(re.sub(r"^(\w+) \[\d+\]", r"\1", line) for line in lines)
