"""Do the pages on configuration and repair do what they say, on the engine?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_py import WorkerConfig
from kcl_py._config_sources import read_config_file
from tests.acceptance.test_tutorials import FAILED, run_page, walked
from tests.docs.pages import DOCS, Block, Claim, blocks_of_kind, claims, name_of
from tests.docs.shell import open_shell

PAGE = DOCS / "how-to" / "reset-checkpoints.md"
TOML = list(blocks_of_kind("toml"))


def claimed_blocks() -> Iterator[Claim]:
    """The blocks that are typed here, and the files that are loaded."""
    yield from walked(PAGE)
    for page, block in TOML:
        yield from claims(page, [block])


@pytest.mark.slow
def test_checkpoints_are_reset_as_the_page_shows(tmp_path: Path) -> None:
    with open_shell(tmp_path) as shell:
        said = run_page(PAGE, shell)

    failed = [line for line in said.splitlines() if line.startswith(FAILED)]
    # What a shell says of a worker that it has ended by a signal is not its exit code.
    assert [line for line in failed if "wait" not in line] == []


def test_there_is_a_file_to_look_at() -> None:
    assert TOML


@pytest.mark.parametrize(
    "block", [block for _, block in TOML], ids=[name_of(page) for page, _ in TOML]
)
def test_every_configuration_on_a_page_is_accepted(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "kcl.toml"
    file.write_text(block.text, encoding="utf-8")

    WorkerConfig.from_env({}, file=file)
    assert read_config_file(file).settings
