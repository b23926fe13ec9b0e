"""Does no request stay behind, and is what is said true, whatever becomes of the answers?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcl_py.admin.editing import Editor
from kcl_py.admin.releasing import Handover
from kcl_py.aws.lease_table import RowsFound
from kcl_py.core.events import Failure, FailureKind, WriteAnswer
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.core.leases.writes import RowWrite
from kcl_py.errors import AccessDenied, KclError, LeaseTableError, Throttled, Unavailable
from tests.core.fake_table import FakeTable

ROW = LeaseRow(key="s0", counter=5, checkpoint=Sentinel.TRIM_HORIZON, owner="v")
LOST = Failure(FailureKind.UNKNOWN, "dynamodb:UpdateItem", "timed out")
SECONDS = 10.0

Fate = Literal["fine", "lost", "applied"]
Deed = Literal["nothing", "gives", "cancels", "finishes"]


@dataclass
class World:
    """A lease, its owner who does something once, and a way to the table on which things happen."""

    fates: list[Fate] = field(default_factory=list)
    looks: list[KclError | BaseException | None] = field(default_factory=list)
    deed: Deed = "nothing"
    when: int = 0
    at: float = 0.0
    table: FakeTable = field(default_factory=lambda: FakeTable(ROW))

    def write(self, write: RowWrite) -> WriteAnswer:
        fate = self.fates.pop(0) if self.fates else "fine"
        if fate == "lost":
            return LOST
        answer = self.table.apply(write)
        return LOST if fate == "applied" else answer

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        return RowsFound(tuple(self.table.rows[key] for key in keys), ())

    def read(self) -> LeaseRow | None:
        if self.looks and (error := self.looks.pop(0)) is not None:
            raise error
        return self.table.lease("s0")

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.when -= 1
        row = self.table.lease("s0")
        if self.when == 0 and row.checkpoint_owner == "v":
            self.act(row)

    def act(self, row: LeaseRow) -> None:
        facts = {"base": row.counter, "nonce": "v#1"}
        match self.deed:
            case "gives":
                self.table.apply(writes.transfer("s0", me="v", taker="t", **facts))  # type: ignore[arg-type]
            case "cancels":
                self.table.apply(writes.cancel("s0", me="v", duration=10.0, **facts))  # type: ignore[arg-type]
            case "finishes":
                self.table.rows["s0"] = LeaseRow(
                    key="s0", counter=row.counter + 1, checkpoint=Sentinel.SHARD_END
                )
            case "nothing":
                pass

    def run(self) -> str:
        nonces = iter(range(1000))
        editor = Editor(self, new_nonce=lambda: f"n{next(nonces)}", sleep=self.sleep)
        handover = Handover(editor=editor, read=self.read, now=lambda: self.at, sleep=self.sleep)
        return handover.run(ROW, owner="v", taker="t", seconds=SECONDS)

    @property
    def is_asked(self) -> bool:
        row = self.table.lease("s0")
        return (row.owner, row.checkpoint_owner) == ("t", "v")


@example(["applied"], [], "gives", 1)  # answered before it was known that it had been asked
@given(
    st.lists(st.sampled_from(["fine", "lost", "applied"]), max_size=4),
    st.lists(st.sampled_from([None, Unavailable("no answer"), Throttled("slow")]), max_size=30),
    st.sampled_from(["nothing", "gives", "cancels", "finishes"]),
    st.integers(1, 25),
)
def test_what_is_said_is_so_and_no_request_stays(
    fates: list[Fate], looks: list[KclError | None], deed: Deed, when: int
) -> None:
    world = World(fates, [*looks], deed, when)

    said = world.run()

    row = world.table.lease("s0")
    assert not world.is_asked
    assert (
        said
        == {
            ("t", False): "given",
            ("v", False): "kept" if row.counter > ROW.counter else "withdrawn",
            (None, True): "gone",
        }[row.actual_owner, row.is_finished]
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), AccessDenied("no", action="a:B")])
def test_who_ends_it_early_leaves_no_request_behind(error: BaseException) -> None:
    world = World(looks=[None, error])

    with pytest.raises(type(error)):
        world.run()

    assert not world.is_asked


def test_it_is_told_that_a_request_may_still_stand() -> None:
    fates: list[Fate] = ["lost"] * 100
    world = World(fates=["fine", *fates])

    with pytest.raises(Unavailable, match="whether the request could be taken back is not known"):
        world.run()

    assert world.is_asked


def test_a_table_that_vanishes_meanwhile_is_told() -> None:
    world = World(looks=[LeaseTableError("the lease table is gone")])

    with pytest.raises(LeaseTableError, match="gone"):
        world.run()
