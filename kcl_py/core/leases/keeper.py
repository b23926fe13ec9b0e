"""Which leases are ours, and what happens to each? The lease side: where its parts meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.leases.balance import Balance
from kcl_py.core.leases.consumer_side import ConsumerSide
from kcl_py.core.leases.failing import Failing
from kcl_py.core.leases.holding import Holding
from kcl_py.core.leases.membership import Membership
from kcl_py.core.leases.requests import Requests
from kcl_py.core.leases.resting import status_of_resting
from kcl_py.core.leases.scanner import Scan, Scanner
from kcl_py.core.leases.shard_side import ShardSide
from kcl_py.core.leases.shared import Shared
from kcl_py.core.leases.startup import Startup
from kcl_py.core.leases.stopping import Stopping
from kcl_py.core.leases.taking import Taking
from kcl_py.core.leases.victim import Victim
from kcl_py.core.leases.writes import WriteKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kcl_py.core.events import FailureKind
    from kcl_py.core.facts import StreamFacts, TableFacts
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.rows import ApplicationRow, LeaseRow
    from kcl_py.core.ports import Epoch
    from kcl_py.errors import KclError
    from kcl_py.status import ShardStatus


class Keeper:
    """The lease side. Listens to all of its own parts.

    Args:
        on_finish: Called once when the worker is done, with the error that stopped it.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        table: TableFacts,
        stream: StreamFacts,
        on_finish: Callable[[KclError | None], None],
    ) -> None:
        self.holdings: dict[str, Holding] = {}
        self.victims: dict[str, Victim] = {}
        self.running_lost: set[str] = set()
        self.is_ready = False
        self._desk = desk
        self._is_joined = False
        self._membership = Membership(desk, self)
        self._failing = Failing(
            desk,
            self,
            table=table,
            recreate_row=self._membership.recreate,
            on_finish=on_finish,
        )
        self._scanner = Scanner(desk, self, has_index=table.has_index)
        self._taking = Taking(desk, self)
        self._requests = Requests(desk, self._take_given)
        self._balance = Balance(
            desk,
            self._taking,
            self._requests,
            mine=self._mine,
            running_lost=self.running_lost,
            review=self._review,
        )
        shared = Shared(
            taking=self._taking,
            requests=self._requests,
            balance=self._balance,
            membership=self._membership,
            scanner=self._scanner,
        )
        self._startup = Startup(desk, self, shared, table=table, stream=stream)
        self._stopping = Stopping(desk, self, shared)

    # ----------------------------------------------------------------------------- start and stop

    @property
    def error(self) -> KclError | None:
        """What makes the worker fail, if anything does."""
        return self._failing.error

    def is_cut_off(self, now: float) -> bool:
        """Say whether the table has taken no beat for a whole lease duration."""
        since = self._membership.silent_since
        return since is not None and now - since >= self._desk.duration

    def start(self, now: float) -> None:
        """Begin the start sequence."""
        self._startup.begin(now)

    def ready(self, now: float, application: ApplicationRow) -> None:
        """The table was read completely: sync the shards, then begin to take."""
        self._is_joined = True
        self._desk.shards.begin(now, application, then=self._synced)

    def _synced(self, now: float) -> None:
        if self._desk.stopping or self.error is not None or self.is_ready:
            return
        self.is_ready = True
        self._desk.calls.report("worker.ready", "info", leases=len(self._desk.sights.leases))
        self._balance.start(now)
        self._scanner.start(now)
        jitter = self._desk.rng.uniform(0, 1) if self._is_contended() else 0.0
        self._desk.timers.at(now + jitter, ("first",), self._first_takes)

    def _is_contended(self) -> bool:
        return any(w != self._desk.me and s.present for w, s in self._desk.sights.workers.items())

    def _first_takes(self, now: float) -> None:
        if not self._desk.stopping:
            self._taking.start(now)
            self._review(now)

    def stop(self, now: float) -> None:
        """Drain and leave; a second call changes nothing."""
        if not self._desk.stopping and self.error is None:
            self._stopping.begin(now, joined=self._is_joined)

    def fail(self, now: float, error: KclError) -> None:
        """Fence everything, then finish with the error; also when this worker must not start."""
        self._failing.fail(now, error)

    def finish(self, error: KclError | None) -> None:
        """The worker is done."""
        self._failing.finish(error)

    def fence_all(self, now: float, why: str) -> None:
        """Give up every lease at once, those too whose take is not answered yet."""
        self._taking.void(now)
        self._failing.fence_all(now, why)

    def settle(self, now: float) -> None:
        """Act on what was only noted, and go on with a stop that waited for this event."""
        self._failing.settle(now)
        if self._desk.stopping and self.error is None:
            self._stopping.check(now)

    def table_failed(self, now: float, kind: FailureKind, action: str, message: str) -> None:
        """The table is gone, or denies a call."""
        self._failing.table_failed(now, kind, action, message)

    def own_row_vanished(self, now: float) -> None:
        """Our worker row is not there."""
        self._failing.own_row_vanished(now)

    # --------------------------------------------------------------------------------------- plan

    def _mine(self) -> Mapping[str, str | None]:
        mine: dict[str, str | None] = dict.fromkeys(self._taking.open_keys, self._desk.me)
        for key, holding in self.holdings.items():
            taker = self.victims[key].taker
            if holding.is_owner:
                mine[key] = self._desk.me if taker is None else taker
            else:
                mine[key] = holding.give_to
        return mine

    def _review(self, now: float) -> None:
        if self.is_ready and not self._desk.stopping:
            self._balance.carry_out(now, after_scan=False)

    def scanned(self, now: float, scan: Scan) -> None:
        """A periodic scan is over."""
        if self._desk.stopping:
            return
        if scan.is_complete:
            self._membership.remove_dead(now)
        self._balance.carry_out(now, after_scan=scan.is_complete)
        for key in sorted(scan.leases):
            self._examine_stray(now, key)

    def is_at_work(self, key: str) -> bool:
        """We hold the lease, take it or give it away."""
        return key in self.holdings or self._taking.is_busy(key)

    def examine(self, now: float, row: LeaseRow) -> None:
        """A row names us though we do not hold it: an offer, an orphan, a handoff to us."""
        if self.is_at_work(row.key) or row.is_finished:
            return
        me = self._desk.me
        if row.owner == me and row.checkpoint_owner not in (None, me):
            self._requests.adopt(now, row)
        elif self._desk.stopping or self.error is not None:
            return
        elif row.owner == me:
            self._take_given(now, row)
        elif row.checkpoint_owner == me and not self._desk.consumers.is_running(row.key):
            self._forward(now, row)

    def _examine_stray(self, now: float, key: str) -> None:
        """Look at a row that may name us: whatever it says decides."""
        sight = self._desk.sights.leases.get(key)
        if sight is not None and self._desk.me in (sight.row.owner, sight.row.checkpoint_owner):
            self.examine(now, sight.row)

    def _forward(self, now: float, row: LeaseRow) -> None:
        """The orphan of a handoff: on to its live taker, else ours."""
        if row.owner is not None and self._desk.sights.is_running(row.owner, now):
            self.give_stray(now, row, row.owner)
        else:
            self._take_given(now, row)

    # -------------------------------------------------------------------------------------- taking

    def may_take(self, now: float, key: str) -> bool:
        """Say whether a take of this lease may be sent now."""
        limit = self._desk.config.leases.max_leases
        held = sum(1 for h in self.holdings.values() if h.is_owner) + len(self._taking.open_keys)
        return (
            self.is_ready
            and not self._desk.stopping
            and self.error is None
            and not self.is_at_work(key)
            and not self._desk.consumers.is_running(key)
            and now >= self._desk.avoid_until.get(key, now)
            and (limit is None or held < limit)
        )

    def _take_given(self, now: float, row: LeaseRow) -> None:
        if self.may_take(now, row.key):
            self._taking.take(now, row)

    def taken(self, now: float, row: LeaseRow, sent_at: float) -> None:
        """A take applied: a new epoch begins, from what its answer says."""
        self._requests.forget(now, row.key)
        if self._desk.stopping or self.error is not None:
            self._stopping.taken(now, row)
            return
        holding = Holding(self._desk, row, sent_at, self)
        self.holdings[row.key] = holding
        self.victims[row.key] = Victim(self._desk, holding, lambda at: self._may_shed(at, row.key))
        self._desk.calls.report(
            "lease.taken", "info", row.key, token=row.counter, checkpoint=str(row.checkpoint)
        )
        self.victims[row.key].begin(now)
        holding.start(now)

    def _may_shed(self, now: float, key: str) -> bool:
        taker = self.victims[key].taker
        return taker is not None and self._balance.has_share_without(now, taker)

    def give_stray(self, now: float, row: LeaseRow, successor: str | None) -> None:
        """Give away a lease whose row names us, without a position: nothing of it runs here."""
        assert row.key not in self.holdings, "one write in flight per lease"
        holding = Holding(self._desk, row, now, self)
        self.holdings[row.key] = holding
        self.victims[row.key] = Victim(self._desk, holding, lambda _at: False)
        pending = row.checkpoint_owner == self._desk.me and successor == row.owner
        kind = WriteKind.TRANSFER if pending else WriteKind.RELEASE
        holding.give(now, kind, successor)

    # ------------------------------------------------------------------------------------ holdings

    def handoff_seen(self, now: float, holding: Holding) -> None:
        """Read the pending handoff off a successful answer."""
        self.victims[holding.key].seen(now)

    def cancelled(self, now: float, holding: Holding) -> None:
        """A cancel is durable."""
        self.victims[holding.key].cancelled(now)

    def over(self, now: float, holding: Holding, *, given: bool) -> None:
        """A lease is not ours any more: given away, ended or lost."""
        key = holding.key
        del self.holdings[key]
        self.victims.pop(key).stop()
        self._desk.shards.forget_parents(now, key)
        self._desk.shards.forget_children(now, key)
        if self._desk.consumers.is_running(key):
            self.running_lost.add(key)
        if given:
            self._desk.calls.report(
                "lease.given", "info", key, kind=holding.give_kind, to=holding.give_to
            )
            self._desk.calls.counted[f"lease.given:{holding.give_kind}"] += 1
            if holding.give_kind is WriteKind.END and not self._desk.stopping:
                self._taking.take_children(now, holding.children)
        elif holding.give_kind is not None:
            self._stopping.refused()
            self._desk.timers.at(now, ("stray", key), lambda at: self._examine_stray(at, key))
        if self._desk.stopping and self.error is None:
            self._stopping.check(now)
        elif self.is_ready and holding.give_kind is not None:
            self._desk.timers.at(now, ("review",), self._review)

    # ------------------------------------------------------------------------------------ outside

    def owned(self, key: str) -> Holding | None:
        """Return the lease if it is ours, and not being given away."""
        holding = self.holdings.get(key)
        return holding if holding is not None and holding.is_owner else None

    def held(self) -> dict[str, Epoch]:
        """Return the epochs of the leases that are ours now, by key."""
        return {key: h.epoch() for key, h in self.holdings.items() if h.is_owner}

    def resting(self, now: float) -> dict[str, ShardStatus]:
        """Return how the leases are that are halted, by key."""
        held = [self.holdings[key] for key, v in self.victims.items() if v.is_resting]
        return {holding.key: status_of_resting(holding, now) for holding in held}

    def consumer_side(self) -> ConsumerSide:
        """Return what the consumers may ask of the leases."""
        return ConsumerSide(self._desk, self, self._failing, self._stopping)

    def shard_listener(self) -> ShardSide:
        """Return what the shard side sees of the leases, and tells them."""
        return ShardSide(
            self._desk, self._scanner, self._balance, owned=self.owned, fail=self._failing.fail
        )
