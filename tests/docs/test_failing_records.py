"""Do the commands of the page on failing records work as they are written?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_tutorials import steps_of, walked
from tests.docs.pages import DOCS, Claim
from tests.docs.shell import open_shell

PAGE = DOCS / "how-to" / "handle-failing-records.md"


def claimed_blocks() -> Iterator[Claim]:
    """The blocks that are typed here."""
    return walked(PAGE)


@pytest.mark.slow
def test_a_record_is_given_up_looked_at_and_put_back(tmp_path: Path) -> None:
    with open_shell(tmp_path) as shell:
        said = [shell.type(block.text) for block in steps_of(PAGE)]
        stored = shell.type("kcl tail --stream orders -o jsonl --decode text")

    assert "1 dead letter" in said[1]
    assert "not an order" in said[1]
    assert "RecordDecodeError" in said[1]
    assert said[2].endswith("1 delivered, 0 kept\n")
    assert stored.count("not an order") == 2
