"""Facts under the project's own names, as a person sees them: in tests, in options, and not on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.plugin.cases import GREEN

if TYPE_CHECKING:
    from tests.contract.plugin.running import Run

CONFTEST = """
    import os
    def pytest_addoption(parser):
        parser.addoption("--name-of", default="")
        parser.addoption("--from-file", default="")
    def pytest_configure(config):
        config.seen_at_configure = config.option.from_file
"""
TEST = """
    import os
    def test_names(request):
        worker = os.environ["PADDOCK_WORKER"]
        assert os.environ["THEIR_WORKER"] == f"w-{worker}"
        assert os.environ["THEIR_CONSTANT"] == "1"
        assert os.environ["CARRIED"] == "from here"
        assert request.config.option.name_of == f"is {worker}!"
        assert request.config.seen_at_configure == f"{worker}{{worker.id}}"
"""
PYPROJECT = """
    [tool.pytest.ini_options]
    addopts = ["--from-file={worker.id}{{worker.id}}"]
    [tool.paddock.env]
    THEIR_WORKER = "w-{worker.id}"
    THEIR_CONSTANT = "1"
    CARRIED = true
"""
HIDDEN = "taken-by-nobody"


def test_facts_come_under_the_projects_own_names(run: Run) -> None:
    """Variables of [tool.paddock.env] and placeholders in arguments and addopts hold each worker's own values."""
    files = {"conftest.py": CONFTEST, "test_n.py": TEST, "pyproject.toml": PYPROJECT}
    environment = {"PADDOCK_WORKER": HIDDEN, "CARRIED": "from here"}
    carry = ("--paddock-env=PADDOCK_WORKER,CARRIED",)  # no engine here sets facts: one stands in for them
    result = run("-n1", *carry, "--name-of=is {worker.id}!", files=files, environment=environment)
    assert result.code == 0, result
    assert HIDDEN not in result.out + result.err


def test_an_unknown_placeholder_creates_nothing(run: Run) -> None:
    """It is one line, with the option it stands in, and exit code 4."""
    result = run("-n2", "--name-of={worker.idd}", files={**GREEN, "conftest.py": CONFTEST})
    assert result.code == 4, result
    assert result.err.strip() == (
        "ERROR: The option --name-of has the unknown placeholder {worker.idd}. Did you mean {worker.id}? "
        "Write {{worker.idd}} for the text itself."
    )
    assert not (result.folder.parent / "engine.jsonl").exists()


def test_a_service_that_does_not_come_is_the_error_of_every_test(run: Run) -> None:
    """No test runs against a service that is not there, and each says why."""
    pyproject = "[tool.paddock.env]\nMQTT_HOST = '{broker.host}'\n"
    facts = {"PADDOCK_BROKER_HOST": "127.0.0.1", "PADDOCK_BROKER_PORT": "1", "PADDOCK_SERVICE_LIMIT": "0.2"}
    carry = "--paddock-env=" + ",".join(facts)
    text = "def test_a(): pass\ndef test_b(): pass\n"
    result = run("-n1", carry, files={"test_s.py": text, "pyproject.toml": pyproject}, environment=facts)
    assert result.counts == {"error": 2}, result
    assert "Service broker in namespace ? gave no CONNACK at 127.0.0.1:1 within 0.2 s" in result.out
