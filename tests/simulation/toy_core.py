"""A core of the simplest kind, to test the world and its checkers without the production core.

It takes what is ownerless or expired, renews, delivers, ends shards and releases at stop. It knows
no handoff, no plan and no retry. `breaks` names a rule that it then breaks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from kcl_py.config import WorkerConfig
from kcl_py.core import commands as do
from kcl_py.core import events as said
from kcl_py.core.calls import Calls
from kcl_py.core.commands import Start, StartKind
from kcl_py.core.facts import StreamFacts, TableFacts
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Row, Sentinel
from kcl_py.core.ports import Epoch
from kcl_py.core.shards.graph import Shard
from kcl_py.core.timers import Timers
from kcl_py.records import Position


@dataclass
class Holding:
    epoch: Epoch
    base: int
    run_id: int = 0
    iterator: str | None = None
    finished: Position | None = None
    durable: Position | None = None
    pending: Position | None = None
    writing: bool = False
    leaving: bool = False
    children: tuple[Shard, ...] | None = None


class ToyCore:
    def __init__(
        self,
        *,
        worker_id: str,
        config: WorkerConfig,
        table: TableFacts,
        stream: StreamFacts,
        rng: random.Random,
        breaks: str = "",
    ) -> None:
        self.me = worker_id
        self.duration = config.leases.duration
        self.margin = config.leases.fence_margin
        self.rng = rng
        self.breaks = breaks
        self.calls = Calls()
        self.timers = Timers()
        self.holdings: dict[str, Holding] = {}
        self.busy: dict[str, int] = {}
        self.keys: dict[int, str] = {}
        self.sights: dict[str, tuple[int, float]] = {}
        self.taking: set[str] = set()
        self.stopping = False
        self.giving = 0
        self.calling: set[int] = set()
        self.wall = 0.0

    # ------------------------------------------------------------------------------- the face

    def start(self, now: float, wall: float) -> list[do.Command]:
        self.wall = wall - now
        self.calls.list_shards(self._listed)
        self.timers.at(now + 0.5, ("scan",), self._scan)
        return self.calls.take_out()

    def receive(self, now: float, event: said.Event) -> list[do.Command]:
        self._fence(now)
        self.timers.fire(now)
        if not self.calls.answer(now, event):
            if isinstance(event, said.CallReturned):
                self._returned(now, event)
            elif isinstance(event, said.StopAsked):
                self._stop(now)
            elif isinstance(event, said.CheckpointAsked):
                key = self.keys[event.run_id]
                if key in self.holdings:
                    self.holdings[key].finished = event.at
                self.calls.emit(do.AnswerCheckpoint(event.request_id, event.at))
        self._fence(now)
        return self.calls.take_out()

    def next_wakeup(self) -> float | None:
        return self.timers.next()

    def held(self) -> dict[str, Epoch]:
        return {key: h.epoch for key, h in self.holdings.items()}

    # --------------------------------------------------------------------------------- leases

    def _listed(self, now: float, listed: said.ShardsListed) -> None:
        for shard in listed.shards:
            self._create(shard, root=not shard.parents, then=lambda _now, _answer: None)

    def _create(
        self, shard: Shard, *, root: bool, then: Callable[[float, said.WriteAnswer], None]
    ) -> None:
        # Above all tokens of its parents, also those that were not seen yet.
        highest = max((counter for counter, _ in self.sights.values()), default=0)
        row = LeaseRow(
            key=shard.shard_id,
            counter=max(int(self.wall * 1000), highest + 1000),
            checkpoint=Sentinel.TRIM_HORIZON,
            root=root,
            parents=shard.parents,
            nonce=self._nonce(),
        )
        self.calls.write(writes.create(row), then)

    def _nonce(self) -> str:
        return f"{self.rng.getrandbits(64):x}"

    def _scan(self, now: float) -> None:
        self.timers.at(now + 1.0, ("scan",), self._scan)
        if self.breaks == "children first":
            self.calls.list_shards(self._listed)
        self.calls.scan(
            consistent="live" in self.breaks, page=self._seen, then=lambda _now, _failure: None
        )

    def _seen(self, now: float, rows: tuple[Row, ...]) -> None:
        for row in rows:
            if not isinstance(row, LeaseRow) or row.is_finished:
                continue
            counter, since = self.sights.get(row.key, (-1, 0.0))
            if row.counter > counter:
                self.sights[row.key] = (row.counter, now)
                since = now
            expired = now - since >= self.duration or self.breaks == "takes live leases"
            if row.is_ownerless or row.is_offered or (expired):
                self._take(now, row)

    def _take(self, now: float, row: LeaseRow) -> None:
        if self.stopping or row.key in self.taking or row.key in self.holdings:
            return
        if self.busy.get(row.key) and self.breaks != "takes while running":
            return
        waits = row.parents and not row.root and not isinstance(row.checkpoint, Position)
        if waits and self.breaks != "children first":
            self._ask_parents(row)
        else:
            self._send_take(now, row)

    def _ask_parents(self, row: LeaseRow) -> None:
        def read(now: float, answer: said.RowsRead) -> None:
            if answer.failure is None and all(
                isinstance(parent, LeaseRow) and parent.is_finished for parent in answer.rows
            ):
                self._send_take(now, row)

        self.calls.read_rows(row.parents, read)

    def _send_take(self, now: float, row: LeaseRow) -> None:
        if row.key in self.taking or row.key in self.holdings:
            return
        self.taking.add(row.key)

        def taken(then: float, answer: said.WriteAnswer) -> None:
            self.taking.discard(row.key)
            if isinstance(answer, said.Applied) and isinstance(answer.row, LeaseRow):
                self._begin(then, now, answer.row)

        take = writes.take(
            row, me=self.me, nonce=self._nonce(), duration=self.duration, counter=row.counter + 1
        )
        self.calls.write(take, taken)

    def _fence_of(self, sent: float, answered: float) -> float:
        base = answered if self.breaks == "fence from the reply" else sent
        margin = -1.0 if self.breaks == "no margin" else self.margin
        return base + self.duration * 0.999 - margin

    def _begin(self, now: float, sent: float, row: LeaseRow) -> None:
        epoch = Epoch(row=row, token=row.counter, fence=self._fence_of(sent, now))
        if epoch.fence <= now:
            return
        holding = Holding(epoch, row.counter)
        if isinstance(row.checkpoint, Position):
            holding.durable = row.checkpoint
        self.holdings[row.key] = holding
        holding.run_id = self.calls.next_id()
        self.keys[holding.run_id] = row.key
        self.busy[row.key] = self.busy.get(row.key, 0) + 1
        facts = do.EpochFacts(
            key=row.key,
            shard_id=row.key,
            token=epoch.token,
            fence=epoch.fence,
            checkpointed=holding.durable,
            pending=None,
        )
        self.calls.emit(do.StartRun(run_id=holding.run_id, epoch=facts))
        self.timers.at(
            now + self.duration / 3, ("renew", row.key), lambda at: self._renew(at, row.key)
        )

    def _renew(self, now: float, key: str) -> None:
        holding = self.holdings.get(key)
        if holding is None or holding.writing:
            return
        finished = holding.finished
        if self.breaks == "checkpoint goes back" and holding.durable is not None:
            finished = Position(str(int(holding.durable.sequence_number) - (1 << 80)))
        write = writes.renew(
            key,
            me=self.me,
            base=holding.base,
            nonce=self._nonce(),
            duration=self.duration,
            checkpoint=finished if finished != holding.durable else None,
        )
        holding.writing = True

        def renewed(then: float, answer: said.WriteAnswer) -> None:
            holding.writing = False
            if self.holdings.get(key) is not holding:
                return
            if isinstance(answer, said.Applied) and isinstance(answer.row, LeaseRow):
                holding.base = answer.row.counter
                holding.durable = finished
                fence = self._fence_of(now, then)
                holding.epoch = replace(holding.epoch, fence=fence)
                self.calls.emit(do.MoveFence(holding.run_id, fence))
            elif isinstance(answer, said.Refused):
                self._lose(then, key)
            self.timers.at(
                then + (0.3 if isinstance(answer, said.Failure) else self.duration / 3),
                ("renew", key),
                lambda at: self._renew(at, key),
            )

        self.calls.write(write, renewed)

    def _fence(self, now: float) -> None:
        for key in [key for key, h in self.holdings.items() if h.epoch.fence <= now]:
            self._lose(now, key)

    def _lose(self, now: float, key: str) -> None:
        holding = self.holdings.pop(key)
        self.timers.cancel(("renew", key))
        self.calls.emit(do.MoveFence(holding.run_id, float("-inf")))
        self.timers.at(now, ("close", key), lambda at: self._close(at, holding.run_id))

    def _close(self, now: float, run_id: int) -> None:
        if run_id in self.calling:
            key = self.keys[run_id]
            self.timers.at(now + 0.1, ("close", key), lambda at: self._close(at, run_id))
        else:
            self.calls.emit(do.CallProcessor(run_id=run_id, method="close"))
            self.calling.add(run_id)

    # -------------------------------------------------------------------------------- records

    def _returned(self, now: float, event: said.CallReturned) -> None:
        self.calling.discard(event.run_id)
        key = self.keys[event.run_id]
        holding = self.holdings.get(key)
        if event.method == "close":
            self.busy[key] -= 1
        if holding is None or holding.run_id != event.run_id:
            return
        if event.method == "process_records" and event.error is None:
            holding.finished = holding.pending
        if event.method == "close":
            self._give(now, key, holding)
        elif event.method in ("shutdown_requested", "shard_ended"):
            self._call(event.run_id, "close")
        elif holding.leaving:
            self._call(event.run_id, "shutdown_requested")
        elif holding.children is not None:
            self._call(event.run_id, "shard_ended")
        else:
            self.timers.at(now + 0.25, ("fetch", key), lambda _now: self._fetch(key, holding))

    def _call(self, run_id: int, method: do.Method) -> None:
        self.calling.add(run_id)
        self.calls.emit(do.CallProcessor(run_id=run_id, method=method))

    def _fetch(self, key: str, holding: Holding) -> None:
        if self.holdings.get(key) is not holding:
            return
        start = Start(kind=StartKind.TRIM_HORIZON)
        if holding.durable is not None:
            start = Start(kind=StartKind.AFTER, sequence_number=holding.durable.sequence_number)
        if self.breaks == "skips a record" and holding.durable is not None:
            number = str(int(holding.durable.sequence_number) + (1 << 80))
            start = Start(kind=StartKind.AFTER, sequence_number=number)
        command = do.Fetch(
            fetch_id=self.calls.next_id(),
            key=key,
            shard_id=key,
            iterator=holding.iterator,
            start=start,
            records_max=100,
        )
        self.calls.fetch(command, lambda now, answer: self._fetched(now, key, holding, answer))

    def _fetched(
        self, now: float, key: str, holding: Holding, answer: said.PageFetched | said.FetchFailed
    ) -> None:
        if self.holdings.get(key) is not holding:
            return
        if holding.leaving:
            self._call(holding.run_id, "shutdown_requested")
            return
        if isinstance(answer, said.FetchFailed):
            self.timers.at(now + 0.5, ("fetch", key), lambda _now: self._fetch(key, holding))
            return
        holding.iterator = answer.next_iterator
        if answer.next_iterator is None:
            holding.children = answer.children
        if answer.page is not None:
            holding.pending = answer.page.last
            if self.breaks == "checkpoint ahead":
                holding.finished = answer.page.last
            self.calling.add(holding.run_id)
            self.calls.emit(
                do.Deliver(
                    run_id=holding.run_id,
                    page=answer.page,
                    start=0,
                    stop=answer.page.count,
                    attempt=1,
                    lag=answer.lag,
                    at_shard_end=answer.next_iterator is None,
                )
            )
        elif holding.children is not None:
            self._call(holding.run_id, "shard_ended")
        else:
            self.timers.at(now + 0.5, ("fetch", key), lambda _now: self._fetch(key, holding))

    # ----------------------------------------------------------------------------------- ends

    def _give(self, now: float, key: str, holding: Holding) -> None:
        if holding.writing:
            self.timers.at(now + 0.1, ("give", key), lambda at: self._give(at, key, holding))
            return
        if self.holdings.get(key) is not holding:
            return
        del self.holdings[key]
        self.giving += 1
        self.timers.cancel(("renew", key))
        news = holding.finished if holding.finished != holding.durable else None
        if holding.children is None:
            write = writes.release(
                key,
                me=self.me,
                successor=None,
                base=holding.base,
                nonce=self._nonce(),
                checkpoint=news,
            )
            self.calls.write(write, self._given)
            return
        self._end(key, holding, list(holding.children))

    def _end(self, key: str, holding: Holding, left: list[Shard]) -> None:
        """Create the children that are left, one after the other; then the shard has ended."""
        if left:
            child = left[0]

            def created(_now: float, answer: said.WriteAnswer) -> None:
                self._end(key, holding, left if isinstance(answer, said.Failure) else left[1:])

            self._create(child, root=False, then=created)
            return
        names = tuple(child.shard_id for child in holding.children or ())
        end = writes.end(key, me=self.me, base=holding.base, nonce=self._nonce(), children=names)
        self.calls.write(end, self._given)

    def _stop(self, now: float) -> None:
        self.stopping = True
        for key, holding in list(self.holdings.items()):
            if self.breaks == "releases while running":
                self._give(now, key, holding)
            holding.leaving = True
            if self.timers.is_set(("fetch", key)):
                self.timers.cancel(("fetch", key))
                self._call(holding.run_id, "shutdown_requested")
        self._finish_if_empty()

    def _given(self, _now: float, _answer: said.WriteAnswer) -> None:
        self.giving -= 1
        self._finish_if_empty()

    def _finish_if_empty(self) -> None:
        if self.stopping and not self.holdings and not self.giving:
            self.calls.emit(do.Finish())
