"""Was every record processed, in order, by one worker at a time? Judged from the workers' own logs.

Each worker process writes down what it does, *before* it does it, with the clock reading that the
check of its fence used; one clock serves all processes of a machine. Nothing here asks the library
what it believes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kcl_py._words import counted
from kcl_py.testing.audit.log import (
    BEGUN,
    FENCED,
    RECORD,
    RETURNED,
    AuditEvent,
    Place,
    read_audit_logs,
)
from kcl_py.testing.audit.verdict import Fault, Start, Takeover, Verdict

__all__ = ["AuditEvent", "Fault", "Start", "Takeover", "Verdict", "audit", "read_audit_logs"]


def audit(
    events: Iterable[AuditEvent],
    *,
    written: Mapping[str, Iterable[str]],
    parents: Mapping[str, Sequence[str]] | None = None,
    faults: Sequence[Fault] = (),
) -> Verdict:
    """Judge.

    Args:
        events: Of all workers.
        written: Sequence numbers by shard, as the service gave them to the producer.
        parents: Parents by shard.
        faults: What was done to workers; explains take-overs.
    """
    epochs = _epochs(events)
    expected = {key: sorted((int(text), 0) for text in texts) for key, texts in written.items()}
    shards = [
        _Shard(key, epochs.get(key, []), expected.get(key, []))
        for key in sorted(epochs.keys() | expected.keys())
    ]
    for shard in shards:
        shard.judge()
    takeovers = [_explained(item, faults) for shard in shards for item in shard.takeovers]
    return Verdict(
        written=sum(map(len, expected.values())),
        delivered=sum(len(shard.first_handed) for shard in shards),
        handed=sum(shard.handed for shard in shards),
        lost=[text for shard in shards for text in shard.lost],
        skipped=[text for shard in shards for text in shard.skipped],
        order=[text for shard in shards for text in shard.order],
        overlap=[text for shard in shards for text in shard.overlap],
        overlap_seconds=max((shard.overlap_seconds for shard in shards), default=0.0),
        parents=_judge_parents({shard.key: shard for shard in shards}, parents or {}),
        starts=_starts(epochs, parents or {}),
        unknown=sum(shard.unknown for shard in shards),
        repeated=sum(shard.repeated for shard in shards),
        takeovers=sorted(takeovers, key=lambda takeover: takeover.at),
        fences=sum(epoch.was_fenced for shard in shards for epoch in shard.epochs),
        handoffs=sum(_is_handoff(takeover) for takeover in takeovers),
    )


@dataclass(slots=True)
class _Epoch:
    """What one worker did in one ownership of one shard, in order of time."""

    worker: str
    token: int
    events: list[AuditEvent] = field(default_factory=list)
    places: frozenset[Place] = frozenset()

    @property
    def first_at(self) -> float:
        return self.events[0].at

    def last_before(self, at: float) -> float:
        """When it was last active; what came after `at`, as of a frozen process, does not count."""
        active = (RECORD, RETURNED, BEGUN)
        times = [event.at for event in self.events if event.kind in active and event.at <= at]
        return max(times, default=self.first_at)

    @property
    def is_clean(self) -> bool:
        """It was asked to shut down and did, before it lost the lease; or it had begun nothing."""
        returned = [event.method for event in self.events if event.kind == RETURNED]
        if "lease_lost" in returned:
            return False
        return "shutdown_requested" in returned or not self.places

    @property
    def was_fenced(self) -> bool:
        """It was ended from within, and nothing had been agreed about that."""
        kinds = {event.kind for event in self.events}
        returned = {event.method for event in self.events if event.kind == RETURNED}
        return FENCED in kinds and not returned & {"shutdown_requested", "shard_ended"}


def _epochs(events: Iterable[AuditEvent]) -> dict[str, list[_Epoch]]:
    """Epochs by key, in the order of their tokens."""
    found: dict[tuple[str, int, str], _Epoch] = {}
    for event in events:
        name = (event.key, event.token, event.worker)
        found.setdefault(name, _Epoch(event.worker, event.token)).events.append(event)
    by_key: dict[str, list[_Epoch]] = defaultdict(list)
    for name in sorted(found):
        epoch = found[name]
        # Stable: a log keeps the order of what one thread did at one clock reading.
        epoch.events.sort(key=lambda event: event.at)
        epoch.places = frozenset(event.place for event in epoch.events if event.place)
        by_key[name[0]].append(epoch)
    return by_key


class _Shard:
    """All epochs of one shard, and what is wrong with them."""

    def __init__(self, key: str, epochs: Sequence[_Epoch], expected: Sequence[Place]) -> None:
        self.key = key
        self.epochs = epochs
        self.expected = expected
        self.first_handed: dict[Place, float] = {}
        self.last_handed_at = float("-inf")
        self.handed = 0
        self.lost: list[str] = []
        self.skipped: list[str] = []
        self.order: list[str] = []
        self.overlap: list[str] = []
        self.overlap_seconds = 0.0
        self.takeovers: list[Takeover] = []
        self.repeated = 0

    @property
    def tokens(self) -> list[int]:
        """Of all epochs, in their order."""
        return [epoch.token for epoch in self.epochs]

    @property
    def unknown(self) -> int:
        """Records that were handed over and that the producer knows nothing of."""
        known = {place[0] for place in self.expected}
        return sum(place[0] not in known for place in self.first_handed)

    def judge(self) -> None:
        """Find everything that is wrong."""
        for epoch in self.epochs:
            self._judge_order(epoch)
            self._judge_coverage(epoch)
            for event in epoch.events:
                if event.place is not None:
                    self.handed += 1
                    self.last_handed_at = max(self.last_handed_at, event.at)
                    earlier = self.first_handed.get(event.place, event.at)
                    self.first_handed[event.place] = min(earlier, event.at)
        handed = {place[0] for place in self.first_handed}
        self.lost = [
            f"{self._at(place)} was written and never handed over"
            for place in self.expected
            if place[0] not in handed
        ]
        self._judge_overlap()
        self._judge_takeovers()

    def _judge_order(self, epoch: _Epoch) -> None:
        """Strictly forward, but for repetitions after a failed call, which leave nothing out."""
        ordered = sorted(epoch.places)
        last: Place | None = None
        highest: Place | None = None
        may_go_back = False
        end: str | None = None
        for event in epoch.events:
            may_go_back = may_go_back or (event.kind == RETURNED and not event.ok)
            end = event.method if _is_end(event) else end
            place = event.place
            if place is None:
                continue
            if end is not None:
                self.order.append(f"{self._in(epoch, place)} came after {end} had returned")
            if last is None or highest is None:
                highest = place
            else:
                self.repeated += place <= highest
                if place <= last and not may_go_back:
                    self.order.append(f"{self._in(epoch, place)} came after {_text(last)}")
                if last < place and last < highest and place != _next(ordered, last):
                    what = "came in a repetition that left out what follows"
                    self.order.append(f"{self._in(epoch, place)} {what} {_text(last)}")
                highest = max(highest, place)
            last = place
            may_go_back = False

    def _judge_coverage(self, epoch: _Epoch) -> None:
        """From its first record to its last an epoch is handed everything; before, others were."""
        if not epoch.places:
            return
        mine = {place[0] for place in epoch.places}
        before = {place[0] for place in self.first_handed}
        first, last = min(epoch.places), max(epoch.places)
        for place in self.expected:
            passed = place[0] < first[0] and place[0] not in before
            left_out = first[0] <= place[0] <= last[0] and place[0] not in mine
            if passed or left_out:
                self.skipped.append(f"{self._in(epoch, place)} was passed over")

    def _judge_overlap(self) -> None:
        newer: _Epoch | None = None
        for epoch in reversed(self.epochs):
            if newer is not None:
                self._judge_pair(epoch, newer)
            if newer is None or epoch.first_at < newer.first_at:
                newer = epoch

    def _judge_pair(self, older: _Epoch, newer: _Epoch) -> None:
        late = [
            event
            for event in older.events
            if event.kind in (BEGUN, RECORD) and event.at > newer.first_at
        ]
        seconds = late[-1].at - newer.first_at if late else 0.0
        self.overlap_seconds = max(self.overlap_seconds, seconds)
        if older.token == newer.token:
            self.overlap.append(
                f"{self.key}: {older.worker} and {newer.worker} share epoch {older.token}"
            )
        elif late:
            times = counted(len(late), "time")
            self.overlap.append(
                f"{self.key}: epoch {older.token} of {older.worker} acted {times}, up to "
                f"{seconds:.3f} s, after epoch {newer.token} of {newer.worker} had begun"
            )

    def _judge_takeovers(self) -> None:
        again: dict[int, int] = defaultdict(int)
        last_epoch: dict[Place, int] = {}
        for number, epoch in enumerate(self.epochs):
            for place in epoch.places:
                if place in last_epoch:
                    again[last_epoch[place]] += 1
                last_epoch[place] = number
        for number in range(1, len(self.epochs)):
            old, new = self.epochs[number - 1], self.epochs[number]
            self.takeovers.append(
                Takeover(
                    key=self.key,
                    old_worker=old.worker,
                    old_token=old.token,
                    new_worker=new.worker,
                    new_token=new.token,
                    at=new.first_at,
                    gap=new.first_at - old.last_before(new.first_at),
                    clean=old.is_clean,
                    duplicates=again[number - 1],
                )
            )

    def _at(self, place: Place) -> str:
        return f"{self.key}: {_text(place)}"

    def _in(self, epoch: _Epoch, place: Place) -> str:
        return f"{self._at(place)} in epoch {epoch.token} of {epoch.worker}"


def _judge_parents(shards: Mapping[str, _Shard], parents: Mapping[str, Sequence[str]]) -> list[str]:
    """A child's first record comes after every record of all its ancestors."""
    found = []
    for key in sorted(shards.keys() & parents.keys()):
        if not shards[key].first_handed:
            continue
        begun = min(shards[key].first_handed.values())
        for name in sorted(_ancestors(key, parents) & shards.keys()):
            parent = shards[name]
            open_at = [parent.first_handed.get(place) for place in parent.expected]
            unfinished = sum(at is None or at > begun for at in open_at)
            if min(shards[key].tokens) <= max(parent.tokens, default=0):
                found.append(f"{key} has no larger tokens than its ancestor {name}")
            if unfinished:
                records = counted(unfinished, "record")
                found.append(f"{key} began before {records} of its ancestor {name}")
            elif parent.last_handed_at > begun:
                found.append(f"{name} was read again after its descendant {key} had begun")
    return found


def _starts(
    epochs: Mapping[str, Sequence[_Epoch]], parents: Mapping[str, Sequence[str]]
) -> list[Start]:
    found = []
    for key, names in parents.items():
        if key not in epochs:
            continue
        first = min(epochs[key], key=lambda epoch: epoch.first_at)
        older = [epoch for name in names for epoch in epochs.get(name, ())]
        ends = [epoch.last_before(first.first_at) for epoch in older]
        if ends:
            since = first.first_at - max(ends)
            found.append(
                Start(key=key, worker=first.worker, at=first.first_at, since_parents=since)
            )
    return sorted(found, key=lambda start: start.at)


def _ancestors(key: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    open_keys = list(parents.get(key, ()))
    while open_keys:
        name = open_keys.pop()
        if name not in found:
            found.add(name)
            open_keys.extend(parents.get(name, ()))
    return found


def _is_end(event: AuditEvent) -> bool:
    """Whether a processor object is told nothing more but `lease_lost` and `close`."""
    if event.kind != RETURNED:
        return False
    is_over = event.method in ("shutdown_requested", "lease_lost")
    return is_over or (event.method == "shard_ended" and event.ok)


def _is_handoff(takeover: Takeover) -> bool:
    return takeover.clean and takeover.old_worker != takeover.new_worker


def _explained(takeover: Takeover, faults: Sequence[Fault]) -> Takeover:
    """Name the last thing that was done to the old owner before its shard went on elsewhere."""
    known = [
        fault for fault in faults if fault.worker == takeover.old_worker and fault.at <= takeover.at
    ]
    if not known:
        return takeover
    last = max(known, key=lambda fault: fault.at)
    return replace(takeover, fault=last.name, since_fault=takeover.at - last.at)


def _next(ordered: Sequence[Place], place: Place) -> Place | None:
    index = bisect_left(ordered, place) + 1
    return ordered[index] if index < len(ordered) else None


def _text(place: Place) -> str:
    return f"{place[0]}/{place[1]}"
