"""The release of this machine."""

from __future__ import annotations

import pytest

from paddock.errors import UsageError
from paddock.images import release

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'


def test_a_supported_release_is_recognised() -> None:
    """Name, code name and architecture decide the base."""
    found = release.parse(DEBIAN, "x86_64")
    assert (found.distribution, found.codename, found.architecture) == ("debian", "bookworm", "amd64")
    assert found.origin.label == "Debian"


@pytest.mark.parametrize(
    ("text", "machine", "named"),
    [
        ('ID=fedora\nPRETTY_NAME="Fedora Linux 44"\n', "x86_64", "Fedora Linux 44"),
        ("ID=linuxmint\nID_LIKE=ubuntu\nVERSION_CODENAME=xia\n", "x86_64", "linuxmint"),
        ("ID=debian\n", "x86_64", "debian"),
        ("", "x86_64", "linux"),
        (DEBIAN, "riscv64", "riscv64"),
    ],
)
def test_others_are_refused_with_a_remedy(text: str, machine: str, named: str) -> None:
    """A guess would end in a C library that does not fit; the sentence names machine and way out."""
    with pytest.raises(UsageError, match=named) as refused:
        release.parse(text, machine)
    assert "`image`" in str(refused.value)


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreter and libraries of another system cannot run in a pod."""
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UsageError, match="darwin"):
        release.current()
