"""Do the documents say what is so? Commands as written, links that lead on, code that compiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")

DEMO = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[cli]' && .venv/bin/kcl demo"
TESTS = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest"

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_readme_has_the_two_commands_and_ci_runs_the_second() -> None:
    assert f"\n{DEMO}\n" in README
    assert f"\n{TESTS}\n" in README
    assert f"\n{TESTS}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))

    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pictures_are_here_and_say_in_words_what_they_show(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text
    for words, link in PICTURE.findall(text):
        assert "://" not in link
        assert len(words.split()) > 2, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_programs_can_be_read_by_python(page: Path) -> None:
    for program in PROGRAM.findall(page.read_text(encoding="utf-8")):
        compile(program, str(page), "exec")


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")

    missing = [page.name for page in folder.glob("0*.md") if page.name not in index]
    assert missing == []
