"""Do the commands of the page on failing records work as they are written?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, blocks_of
from tests.docs.shell import SHELL, open_shell


@pytest.mark.slow
def test_a_record_is_given_up_looked_at_and_put_back(tmp_path: Path) -> None:
    blocks = blocks_of(DOCS / "how-to" / "handle-failing-records.md")
    begin = blocks.index(Block("sh", SHELL)) + 1

    with open_shell(tmp_path) as shell:
        said = [shell.type(block.text) for block in blocks[begin:] if block.kind == "sh"]
        stored = shell.type("kcl tail --stream orders -o jsonl --decode text")

    assert "1 dead letter" in said[1]
    assert "not an order" in said[1]
    assert "RecordDecodeError" in said[1]
    assert said[2].endswith("1 delivered, 0 kept\n")
    assert stored.count("not an order") == 2
