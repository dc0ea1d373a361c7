"""What the documentation says about the repository is true of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for folder in (".", "docs", "changelog")
    for path in ROOT.glob(f"{folder}/*.md" if folder == "." else f"{folder}/**/*.md")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link inside the repository names a file that is there."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_decisions_are_numbered_once_and_listed_in_order() -> None:
    """Each record is found from the list, and no number is given twice."""
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert len({name[:4] for name in records}) == len(records)
    assert re.findall(r"\]\((\d{4}[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8")) == records


def test_every_page_is_found_from_the_index() -> None:
    """A page that nothing links to is not read."""
    docs = ROOT / "docs"
    pages = {str(path.relative_to(docs)) for path in docs.rglob("*.md") if path.parent.name != "decisions"} - {
        "README.md"
    }
    assert pages <= set(re.findall(r"\]\(([^)]+)\)", (docs / "README.md").read_text(encoding="utf-8")))


def test_the_readme_names_commands_that_exist() -> None:
    """The README's sessions are sessions of the noxfile."""
    named = set(re.findall(r"nox -s (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    known = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert named <= {*known, "parallel", "serial", "hardware"}
    assert "tests" in named


def test_changelog_fragments_are_named_by_issue_and_kind() -> None:
    """A release sorts the fragments by kind and links the issue."""
    names = [path.name for path in (ROOT / "changelog").iterdir() if path.name != "README.md"]
    kinds = "feature|fix|change|removal|docs"
    assert [name for name in names if not re.fullmatch(rf"\d+\.({kinds})(\.\d+)?\.md", name)] == []
