"""The official client is loaded only as far as it is used, and looks complete all the same."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    """Return what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_requests_do_not_load_the_configuration_loader() -> None:
    """The start path of a run on the embedded node leaves the costly siblings out."""
    code = "import sys; from paddock.cluster import official; official.module('client.rest'); print(*sys.modules)"
    loaded = run(code).split()
    assert "kubernetes.client.rest" in loaded
    assert not {"kubernetes.config", "kubernetes.dynamic", "kubernetes.watch"} & {*loaded}


def test_code_beside_ours_sees_the_package_as_after_a_plain_import() -> None:
    """A conftest in the same process may use any part of the client."""
    names = "kubernetes.config.load_kube_config, kubernetes.watch.Watch, kubernetes.client.CoreV1Api"
    code = f"from paddock.cluster import official; official.module('client.rest'); import kubernetes; print({names})"
    assert "load_kube_config" in run(code)


def test_the_version_is_the_installed_one() -> None:
    """``kubernetes.__version__`` is known without the package's own code."""
    lazy = "from paddock.cluster import official; official.module('client.rest'); "
    assert run(lazy + "import kubernetes; print(kubernetes.__version__)") == run(
        "import kubernetes; print(kubernetes.__version__)",
    )


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    """``hasattr`` works on the lazily placed package."""
    code = "from paddock.cluster import official; official.module('client.rest'); import kubernetes; "
    assert run(code + "print(hasattr(kubernetes, 'nonsense'))") == "False"
