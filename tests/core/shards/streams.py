"""Which streams do the tests of this folder use? Random lineages, with times and records."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Sentinel
from kcl_py.core.shards.coverage import HASH_KEY_MAX
from kcl_py.core.shards.graph import Shard


def name(number: int) -> str:
    return f"shardId-{number:012d}"


def shard(
    number: int,
    *parents: int,
    span: tuple[int, int] = (0, HASH_KEY_MAX),
    is_open: bool = True,
) -> Shard:
    return Shard(
        shard_id=name(number),
        parents=tuple(name(parent) for parent in parents),
        hash_range=span,
        is_open=is_open,
        starting_sequence_number=str(1000 + number),
    )


def application(
    position: Sentinel = Sentinel.TRIM_HORIZON,
    start_at: float | None = None,
    *,
    done: bool = False,
) -> ApplicationRow:
    return ApplicationRow(
        stream_arn="arn:aws:kinesis:eu-central-1:123456789012:stream/s",
        stream_created_at=0.0,
        table_id="table-1",
        protocol=1,
        position=position,
        start_at=start_at,
        initial_sync_done=done,
    )


def row(number: int, **facts: object) -> LeaseRow:
    values: dict[str, object] = {"counter": 1, "checkpoint": Sentinel.TRIM_HORIZON, **facts}
    return LeaseRow(key=name(number), **values)  # type: ignore[arg-type]


def ended(number: int, **facts: object) -> LeaseRow:
    return row(number, checkpoint=Sentinel.SHARD_END, **facts)


def table(*rows: LeaseRow) -> dict[str, LeaseRow]:
    return {each.key: each for each in rows}


@dataclass(slots=True)
class Life:
    """One shard and its time.

    Attributes:
        closed_at: None while it is open.
        records: Times of its records, in order; a record is its shard and its place.
    """

    shard: Shard
    made_at: float
    closed_at: float | None = None
    records: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Stream:
    """A stream that splits and merges on command, at times that only grow."""

    lives: dict[str, Life] = field(default_factory=dict)
    now: float = 0.0

    @classmethod
    def of(cls, count: int) -> Stream:
        stream = cls()
        edges = [HASH_KEY_MAX * part // count + (part > 0) for part in range(count)]
        for low, high in zip(edges, [*(edge - 1 for edge in edges[1:]), HASH_KEY_MAX], strict=True):
            stream._add((), (low, high))
        return stream

    def open_shards(self) -> list[Shard]:
        """The open shards by hash range."""
        alive = [life.shard for life in self.lives.values() if life.closed_at is None]
        return sorted(alive, key=lambda each: each.hash_range)

    def put(self, choice: int) -> None:
        """One record into an open shard."""
        shards = self.open_shards()
        self.lives[shards[choice % len(shards)].shard_id].records.append(self.now)

    def split(self, choice: int) -> None:
        """Split an open shard in two halves."""
        shards = self.open_shards()
        parent = shards[choice % len(shards)]
        low, high = parent.hash_range
        middle = (low + high) // 2
        self.lives[parent.shard_id].closed_at = self.now
        for span in ((low, middle), (middle + 1, high)):
            self._add((parent.shard_id,), span)

    def merge(self, choice: int) -> None:
        """Merge two neighbours, if there are two."""
        shards = self.open_shards()
        if len(shards) < 2:
            return
        place = choice % (len(shards) - 1)
        left, right = shards[place], shards[place + 1]
        for each in (left, right):
            self.lives[each.shard_id].closed_at = self.now
        self._add((left.shard_id, right.shard_id), (left.hash_range[0], right.hash_range[1]))

    def listing(self, since: float | None = None, *, kept_from: float = 0.0) -> tuple[Shard, ...]:
        """What ListShards shows now: what is not trimmed, and was open at or after `since`."""
        edge = max(kept_from, since if since is not None else kept_from)
        return tuple(
            Shard(
                shard_id=key,
                parents=life.shard.parents,
                hash_range=life.shard.hash_range,
                is_open=life.closed_at is None,
                starting_sequence_number=life.shard.starting_sequence_number,
            )
            for key, life in self.lives.items()
            if life.closed_at is None or life.closed_at >= edge
        )

    def children_of(self, key: str) -> tuple[Shard, ...]:
        """What a read names at the end of a shard."""
        return tuple(life.shard for life in self.lives.values() if key in life.shard.parents)

    def _add(self, parents: tuple[str, ...], span: tuple[int, int]) -> None:
        number = len(self.lives)
        made = Shard(
            shard_id=name(number),
            parents=parents,
            hash_range=span,
            is_open=True,
            starting_sequence_number=str(1000 + number),
        )
        self.lives[made.shard_id] = Life(made, self.now)


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "split", "merge", "wait"]), st.integers(0, 7)),
    max_size=20,
)


def play(stream: Stream, steps: list[tuple[str, int]]) -> None:
    """Carry steps out; every step takes a second."""
    for what, choice in steps:
        stream.now += 1.0
        if what == "wait":
            stream.now += float(choice) * 10
        else:
            getattr(stream, what)(choice)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """A stream with a past."""
    stream = Stream.of(draw(st.integers(1, 3)))
    play(stream, [*draw(STEPS), *draw(STEPS)])
    return stream
