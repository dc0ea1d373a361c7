"""Laws of the choice of sources, and of the archive that workers share."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.workers.sources import SharedArchive, SourceFile, SourceSet, collect, pack

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, *names: str) -> None:
    """Make files with their own name as content."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def git(root: Path, *arguments: str) -> None:
    """Run git, apart from the user's own configuration."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *identity, "-C", str(root), *arguments], check=True, capture_output=True, env=environment)


def names(sources: SourceSet) -> list[str]:
    """Return the paths of a set."""
    return [file.path for file in sources.files]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make an empty git repository."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    return root


def test_tracked_and_new_files_are_sent_and_ignored_ones_are_not(repository: Path) -> None:
    """In a work tree git decides; sorted, so that the archive is the same each time."""
    write(repository, "tracked.py", "sub/new.py", "build/out.o")
    (repository / ".gitignore").write_text("build/\n")
    git(repository, "add", "tracked.py")
    assert names(collect(repository)) == [".gitignore", "sub/new.py", "tracked.py"]


def test_deleted_files_are_left_out(repository: Path) -> None:
    """A tracked file that is not there any more is not sent."""
    write(repository, "stays.py", "goes.py")
    git(repository, "add", ".")
    (repository / "goes.py").unlink()
    assert names(collect(repository)) == ["stays.py"]


def test_a_folder_of_a_repository_is_a_root_of_its_own(repository: Path) -> None:
    """Paths are relative to the root that was asked for, not to the repository's."""
    write(repository, "outside.py", "app/inside.py")
    assert names(collect(repository / "app")) == ["inside.py"]


def test_an_ignored_root_is_walked(repository: Path) -> None:
    """Pytest started below an ignored folder still gets its sources."""
    write(repository, "scratch/test_a.py")
    (repository / ".gitignore").write_text("scratch/\n")
    assert names(collect(repository / "scratch")) == ["test_a.py"]


def test_submodules_and_nested_repositories_are_sent(repository: Path, tmp_path: Path) -> None:
    """A repository in the repository is listed by git as one folder; its files are sent all the same."""
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    write(library, "lib.py")
    git(library, "add", ".")
    git(library, "commit", "-qm", "one")
    git(repository, "submodule", "add", "-q", str(library), "vendored")
    nested = repository / "nested"
    nested.mkdir()
    git(nested, "init", "-q")
    write(nested, "new.py")
    assert names(collect(repository)) == [".gitmodules", "nested/new.py", "vendored/lib.py"]


def test_untracked_environments_and_caches_are_left_out(repository: Path) -> None:
    """What nobody ignored but every worker would have to receive is left out, unless it is tracked."""
    write(repository, "venv/pyvenv.cfg", "venv/lib/big.py", "node_modules/x.js", "__pycache__/a.pyc", "test_a.py")
    git(repository, "add", "-f", "node_modules")
    assert names(collect(repository)) == ["node_modules/x.js", "test_a.py"]


def test_without_git_everything_sensible_is_sent(tmp_path: Path) -> None:
    """Outside of a work tree all files are sent but caches, environments and version control."""
    root = tmp_path / "plain"
    write(root, "a.py", "pkg.egg-info/PKG-INFO", ".git/config", "b/__pycache__/b.pyc", "b/b.py", "c/.git")
    write(root, ".venv/pyvenv.cfg", ".venv/x.py", ".nox/t/x", "b/node_modules/x.js", ".hidden")
    (root / "b" / "link").symlink_to("..")
    assert names(collect(root)) == [".hidden", "a.py", "b/b.py", "b/link", "pkg.egg-info/PKG-INFO"]


def test_a_variable_of_a_git_hook_does_not_mislead(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pytest run by a git hook inherits variables about another repository."""
    write(repository, "test_a.py")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert names(collect(repository)) == ["test_a.py"]


def test_without_the_git_program_files_are_walked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git is a help, not a need."""
    write(repository, "test_a.py")
    monkeypatch.setenv("PATH", str(repository))
    assert names(collect(repository)) == ["test_a.py"]


def test_what_is_included_is_sent_although_ignored(repository: Path) -> None:
    """Generated modules and compiled extensions can be named, as files or folders."""
    write(repository, "_version.py", "gen/a.py", "gen/__pycache__/a.pyc", "other.log")
    (repository / ".gitignore").write_text("*.py\ngen/\n*.log\n")
    assert names(collect(repository, include=["_version.py", "gen/"])) == [".gitignore", "_version.py", "gen/a.py"]


def test_included_are_files_that_match_a_pattern(repository: Path) -> None:
    """Patterns reach into ignored folders; into those that are never sent only if they name them."""
    write(repository, "pkg/_version.py", "pkg/sub/_version.py", ".nox/x/_version.py", ".venv/pyvenv.cfg", ".venv/v.py")
    (repository / ".gitignore").write_text("_version.py\n.venv\n")
    (repository / "nested").mkdir()
    (repository / "nested" / ".git").write_text("gitdir: elsewhere")
    git(repository, "add", ".gitignore")
    assert names(collect(repository, include=["**/_version.py", "**/.git", ".git"])) == [
        ".gitignore",
        "pkg/_version.py",
        "pkg/sub/_version.py",
    ]
    assert ".nox/x/_version.py" in names(collect(repository, include=[".nox/*/_version.py"]))
    assert ".venv/v.py" in names(collect(repository, include=[".venv/v.py"]))


def test_an_include_that_is_not_there_is_not_sent(repository: Path) -> None:
    """Whether that is a mistake is known to those who see all sets."""
    write(repository, "a.py")
    assert names(collect(repository, include=["missing.py", "missing/", "a.py/b"])) == ["a.py"]


def test_what_is_excluded_is_not_sent_in_any_case(repository: Path) -> None:
    """Tracked, new or included: the exclusion has the last word, for folders as well."""
    write(repository, "a.py", "data/big.bin", "data/deep/more.bin", "gen.py")
    (repository / ".gitignore").write_text("gen.py\n")
    git(repository, "add", ".")
    assert names(collect(repository, include=["gen.py"], exclude=["data", "gen.py"])) == [".gitignore", "a.py"]
    assert names(collect(repository, exclude=["**/*.bin", ".gitignore"])) == ["a.py"]


def test_links_are_sent_as_links(repository: Path) -> None:
    """Absolute, broken, to folders, out of the project: none is followed, none is left out."""
    write(repository, "folder/a.py")
    for name, target in (("absolute", "/etc"), ("broken", "nowhere"), ("inner", "folder"), ("out", "../..")):
        (repository / name).symlink_to(target)
    expected = ["absolute", "broken", "folder/a.py", "inner", "out"]
    assert names(collect(repository)) == expected
    git(repository, "add", ".")
    assert names(collect(repository)) == expected
    assert collect(repository).size == len("folder/a.py")


def test_a_root_that_is_no_folder_is_told(tmp_path: Path) -> None:
    """The message names the path that was expected."""
    with pytest.raises(UsageError, match="absent"):
        collect(tmp_path / "absent")


def test_sockets_and_pipes_are_left_out(tmp_path: Path) -> None:
    """What has no content cannot be sent."""
    write(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe")
    assert names(collect(tmp_path)) == ["a.py"]


def test_an_archive_is_the_same_each_time(tmp_path: Path) -> None:
    """Sorted and without times of packing: two packings are equal byte for byte."""
    write(tmp_path, "b.py", "a/c.py")
    assert b"".join(pack(collect(tmp_path))) == b"".join(pack(collect(tmp_path)))


def test_a_file_that_went_meanwhile_is_left_out(tmp_path: Path) -> None:
    """Between looking and packing files come and go; that is no error."""
    write(tmp_path, "a.py", "b.py")
    found = collect(tmp_path)
    (tmp_path / "a.py").unlink()
    with tarfile.open(fileobj=io.BytesIO(b"".join(pack(found)))) as tar:
        assert tar.getnames() == ["b.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """An unreadable source would be missing in every worker: say which."""
    write(tmp_path, "secret.py")
    (tmp_path / "secret.py").chmod(0)
    with pytest.raises(UsageError, match=r"secret\.py cannot be read"):
        list(pack(collect(tmp_path)))


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    """What cannot be read as the file that was seen is an error with its name."""
    (tmp_path / "thing").mkdir()
    found = SourceSet(root=tmp_path, files=(SourceFile(path="thing", size=1),))
    with pytest.raises(UsageError, match="thing cannot be read"):
        list(pack(found))


def test_all_workers_get_the_same_archive_packed_once(tmp_path: Path) -> None:
    """Many takers at once see the same chunks; a file that changes meanwhile changes for nobody."""
    (tmp_path / "big").write_bytes(os.urandom(2 << 20))
    archive = SharedArchive(collect(tmp_path))
    first = next(iter(archive.chunks()))
    (tmp_path / "big").unlink()
    taken: list[list[bytes]] = []
    takers = [threading.Thread(target=lambda: taken.append(list(archive.chunks()))) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert [chunks == taken[0] for chunks in taken] == [True] * 4
    assert taken[0][0] is first
    assert len(taken[0]) > 3


def test_every_taker_hears_why_there_is_no_archive(tmp_path: Path) -> None:
    """An error of the packing is raised for the first taker and for those after it."""
    (tmp_path / "thing").mkdir()
    archive = SharedArchive(SourceSet(root=tmp_path, files=(SourceFile(path="thing", size=1),)))
    for _ in range(2):
        with pytest.raises(UsageError, match="thing cannot be read"):
            list(archive.chunks())
