"""Do the pages on configuration and repair do what they say, on the engine?"""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_py import WorkerConfig
from kcl_py._config_sources import read_config_file
from tests.acceptance.test_tutorials import FAILED, run_page
from tests.docs.pages import DOCS, PAGES, ROOT, blocks_of
from tests.docs.shell import open_shell

TOML = [(page, block.text) for page in PAGES for block in blocks_of(page) if block.kind == "toml"]


@pytest.mark.slow
def test_checkpoints_are_reset_as_the_page_shows(tmp_path: Path) -> None:
    with open_shell(tmp_path) as shell:
        said = run_page(DOCS / "how-to" / "reset-checkpoints.md", shell)

    failed = [line for line in said.splitlines() if line.startswith(FAILED)]
    # What a shell says of a worker that it has ended by a signal is not its exit code.
    assert [line for line in failed if "wait" not in line] == []


def test_there_is_a_file_to_look_at() -> None:
    assert TOML


@pytest.mark.parametrize(
    ("page", "text"), TOML, ids=[page.relative_to(ROOT).as_posix() for page, _ in TOML]
)
def test_every_configuration_on_a_page_is_accepted(page: Path, text: str, tmp_path: Path) -> None:
    file = tmp_path / "kcl.toml"
    file.write_text(text, encoding="utf-8")

    WorkerConfig.from_env({}, file=file)
    assert read_config_file(file).settings
