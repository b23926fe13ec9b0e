"""How would workers read a stream, given our rows? A small model without time or faults."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from random import Random

from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Sentinel
from kcl_py.core.shards.births import child_row, waits_for_parents
from kcl_py.core.shards.sync_plan import plan_sync
from kcl_py.records import Position
from tests.core.shards.streams import Stream

RecordName = tuple[str, int]


@dataclass(slots=True)
class Readers:
    """Reads whatever may be read, one shard at a time, in any order.

    Attributes:
        kept_from: Shards closed before this time are trimmed.
        delivered: Records by shard and place in it, in order of delivery.
        numeric: A row's checkpoint becomes a position when something was read, as with real workers
            it sometimes is and sometimes is not yet when the shard ends.
    """

    stream: Stream
    app: ApplicationRow
    rng: Random
    kept_from: float = 0.0
    rows: dict[str, LeaseRow] = field(default_factory=dict)
    delivered: list[RecordName] = field(default_factory=list)
    next_record: dict[str, int] = field(default_factory=dict)

    def sync(self, *, since: float | None = None, share: float = 1.0) -> tuple[LeaseRow, ...]:
        """Plan from a fresh listing and create the rows, or only some of them."""
        listing = self.stream.listing(since, kept_from=self.kept_from)
        planned = plan_sync(listing, self.rows, self.app, 1)
        for row in planned:
            if self.rng.random() < share:
                self.rows[row.key] = row
        return planned

    def finish_initial_sync(self) -> None:
        self.app = replace(self.app, initial_sync_done=True)

    def read_on(self, turns: int) -> None:
        """Read shards that may be read, at random, for some turns."""
        for _ in range(turns):
            ready = [row for row in self.rows.values() if self._may_run(row)]
            if not ready:
                return
            self._read(self.rng.choice(sorted(ready, key=lambda row: row.key)))

    def read_all(self) -> None:
        """Read until nothing is left but open shards without news."""
        while ready := [row for row in self.rows.values() if self._may_run(row)]:
            self._read(ready[0])

    def wanted(self) -> set[RecordName]:
        """Every record that is there and at or after the position."""
        listed = {shard.shard_id for shard in self.stream.listing(kept_from=self.kept_from)}
        begin = self.app.start_at if self.app.start_at is not None else float("-inf")
        return {
            (key, place)
            for key, life in self.stream.lives.items()
            for place, at in enumerate(life.records)
            if key in listed and at >= begin
        }

    def check_lineage_order(self, but: Collection[str] = ()) -> None:
        """No record comes before one of its own shard's past, or of a parent."""
        place = {record: number for number, record in enumerate(self.delivered)}
        for key, life in self.stream.lives.items():
            mine = [number for (shard, _), number in place.items() if shard == key]
            assert mine == sorted(mine)
            for parent in life.shard.parents:
                theirs = [number for (shard, _), number in place.items() if shard == parent]
                assert key in but or not mine or not theirs or max(theirs) < min(mine)

    def _may_run(self, row: LeaseRow) -> bool:
        if row.is_finished:
            return False
        if waits_for_parents(row):
            listed = {shard.shard_id for shard in self.stream.listing(kept_from=self.kept_from)}
            for parent in row.parents:
                above = self.rows.get(parent)
                if above is not None and not above.is_finished:
                    return False
                if above is None and parent in listed:
                    return False
        life = self.stream.lives[row.key]
        return life.closed_at is not None or self._next(row) < len(life.records)

    def _next(self, row: LeaseRow) -> int:
        if row.key in self.next_record:
            return self.next_record[row.key]
        records = self.stream.lives[row.key].records
        begin = float("-inf") if row.checkpoint is Sentinel.TRIM_HORIZON else row.start_at
        assert begin is not None
        return sum(at < begin for at in records)

    def _read(self, row: LeaseRow) -> None:
        life = self.stream.lives[row.key]
        news = range(self._next(row), len(life.records))
        self.delivered += [(row.key, place) for place in news]
        self.next_record[row.key] = len(life.records)
        if news and self.rng.random() < 0.5:
            row = replace(row, checkpoint=Position(str(len(life.records))))
        if life.closed_at is not None:
            for child in self.stream.children_of(row.key):
                self.rows.setdefault(child.shard_id, child_row(child, row, self.rows, 1))
            row = replace(row, checkpoint=Sentinel.SHARD_END)
        self.rows[row.key] = row
