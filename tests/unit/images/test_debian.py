"""Package lists of the distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.errors import ImageError
from paddock.images import debian, release

if TYPE_CHECKING:
    from pathlib import Path

BOOKWORM = release.Release(distribution="debian", codename="bookworm", machine="x86_64")
LISTED = """\
http://mirror/debian/|bookworm|main|Debian
http://mirror/debian/|bookworm|main|Debian
http://mirror/debian/|bookworm|non-free|Debian
http://mirror/security/|bookworm-security|main|$(ORIGIN)
http://vendor/|bookworm|stable|Vendor
http://database/|bookworm-pgdg|main|apt.postgresql.org
http://mirror/debian/|trixie|main|Debian
"""


def test_only_lists_that_can_be_the_distributions_own_are_taken() -> None:
    """A third party's packages would be in every image, and those of another release do not fit."""
    taken = debian.candidates(debian.parse(LISTED), BOOKWORM)
    assert [(suite.uri, suite.name) for suite in taken] == [
        ("http://mirror/debian/", "bookworm"),
        ("http://mirror/security/", "bookworm-security"),
    ]


def test_an_origin_that_is_not_known_yet_is_empty() -> None:
    """Apt leaves the word unreplaced while it has not fetched the list."""
    assert [suite.origin for suite in debian.parse(LISTED)][2] == ""


def test_lists_are_trusted_by_the_distributions_keys_only(tmp_path: Path) -> None:
    """A key that some vendor installed must not vouch for the base."""
    keyring = tmp_path / "archive-keyring.gpg"
    suites = [debian.Suite("http://mirror/", "bookworm", "main")]
    assert debian.sources(suites, keyring) == "deb http://mirror/ bookworm main\n"
    keyring.touch()
    assert debian.sources(suites, keyring) == f"deb [signed-by={keyring}] http://mirror/ bookworm main\n"


def test_a_failing_tool_is_quoted() -> None:
    """The sentence names purpose, tool, exit code and the tool's own last words."""
    with pytest.raises(ImageError, match=r"Baking failed: sh ended with exit code 3: no flour"):
        debian.run(["sh", "-c", "echo no flour >&2; exit 3"], "Baking")


def test_a_missing_tool_is_named() -> None:
    """The user learns which program to install."""
    with pytest.raises(ImageError, match=r"Baking needs the program 'no-such-oven'"):
        debian.run(["no-such-oven"], "Baking")


def test_settings_of_reaching_the_archive_are_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is needed in the build; where apt keeps its files is not."""
    shown = 'Acquire::http::Proxy "http://proxy:3128";\nAcquire::Languages:: "none";\nAcquire::Check-Date "false";\n'
    monkeypatch.setattr(debian, "run", lambda *_args, **_kwargs: shown)
    assert debian.acquire_settings() == 'Acquire::http::Proxy "http://proxy:3128";\nAcquire::Check-Date "false";\n'


def test_what_a_package_needs_comes_with_it() -> None:
    """A bare machine lacks most of what a package needs; what apt would install besides is fetched as well."""
    simulated = "Reading package lists...\nInst perl-modules-5.36 (5.36.0-7 Debian:12/stable [all])\n"
    simulated += "Inst mmdebstrap (1.3.5-7 Debian:12/stable [all])\nConf mmdebstrap (1.3.5-7 Debian:12/stable [all])\n"
    assert debian.new_packages(simulated) == ["perl-modules-5.36", "mmdebstrap"]


def test_unpacked_perl_modules_are_found(tmp_path: Path) -> None:
    """Debian's perl looks in four kinds of folders; only those that were unpacked are named."""
    for folder in ("usr/share/perl/5.36.0", "usr/lib/x86_64-linux-gnu/perl/5.36", "usr/share/perl5"):
        (tmp_path / folder).mkdir(parents=True)
    places = "usr/share/perl5", "usr/share/perl/5.36.0", "usr/lib/x86_64-linux-gnu/perl/5.36"
    assert debian.perl_path(tmp_path) == ":".join(str(tmp_path / place) for place in places)
