"""How does a live worker give one lease away? It is asked to, in the name of the one who gets it.

The request of the protocol (section 3) may stand in the row whoever wrote it: the owner reads it
off its next renewal, drains and hands over, or cancels; whoever it names adopts it, or withdraws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from kcl_py.admin.troubles import Unsafe
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, WorkerRow, WorkerState
from kcl_py.errors import KclError, Throttled, Unavailable

if TYPE_CHECKING:
    from kcl_py.admin.editing import Editor
    from kcl_py.core.leases.writes import RowWrite

Outcome: TypeAlias = Literal["waiting", "given", "kept", "gone", "withdrawn"]

LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A worker that could get the lease."""

    worker_id: str
    leases: int


def candidates(
    workers: Iterable[WorkerRow], leases: Mapping[str, LeaseRow], live: Iterable[str], owner: str
) -> tuple[Candidate, ...]:
    """Return who could get a lease of `owner`, those with the fewest leases first.

    Args:
        workers: All worker rows.
        leases: All lease rows.
        live: Workers that were seen to live.
        owner: Who has it.
    """
    living = set(live)
    found = []
    for row in workers:
        held = sum(lease.owner == row.key for lease in leases.values() if not lease.is_finished)
        has_room = row.lease_max is None or held < row.lease_max
        is_running = row.state is WorkerState.RUNNING and row.key in living
        if is_running and has_room and row.key != owner:
            found.append(Candidate(row.key, held))
    return tuple(sorted(found, key=lambda each: (each.leases, each.worker_id)))


def ask(row: LeaseRow | None, *, owner: str, taker: str) -> RowWrite | None:
    """Return the write that asks the owner; None: it is asked already, or has given it.

    Raises:
        Unsafe: Somebody else has it, or asks for it.
    """
    if row is None or row.is_finished:
        raise Unsafe("the shard was finished meanwhile; there is nothing to release")
    if row.owner == taker and row.checkpoint_owner in (owner, None):
        # Perhaps asked by ourselves, and answered before we knew that.
        return None
    if row.owner != owner or row.checkpoint_owner is not None or row.offer is not None:
        raise Unsafe(f"the lease {row.key} is moving already (owner {row.owner}); look again")
    return writes.request(row.key, me=taker, victim=owner)


def outcome(row: LeaseRow | None, *, owner: str, taker: str) -> Outcome:
    """Say what became of the request, by the row as it is now."""
    if row is None or row.is_finished:
        return "gone"
    if row.checkpoint_owner == owner and row.owner == taker:
        return "waiting"
    if row.actual_owner == owner:
        return "kept"
    return "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Asks the owner of one lease, waits, and takes the request back if nothing comes of it.

    Attributes:
        editor: Of the table.
        read: Reads the row consistently; None: it is gone.
        now: Clock reading, seconds.
        sleep: Waits so many seconds.
    """

    editor: Editor
    read: Callable[[], LeaseRow | None]
    now: Callable[[], float]
    sleep: Callable[[float], object]

    def run(self, row: LeaseRow, *, owner: str, taker: str, seconds: float) -> Outcome:
        """Return what became of it; never "waiting".

        Raises:
            Unsafe: Somebody else has it, or asks for it.
            KclError: The table refuses, or gives no answer.
        """
        asked = self.editor.edit(row, lambda now, _nonce: ask(now, owner=owner, taker=taker))
        found: Outcome = "waiting"
        end = self.now() + seconds
        try:
            while found == "waiting" and self.now() < end:
                self.sleep(LOOK_SECONDS)
                found = self._look(owner, taker)
        except BaseException:
            # Somebody has lost patience, or the rights: nobody should wait for this request.
            self._withdraw(asked.row, owner, taker)
            raise
        return self._withdraw(asked.row, owner, taker) if found == "waiting" else found

    def _look(self, owner: str, taker: str) -> Outcome:
        try:
            return outcome(self.read(), owner=owner, taker=taker)
        except (Throttled, Unavailable):
            return "waiting"  # One look without an answer; the next may have one.

    def _withdraw(self, row: LeaseRow | None, owner: str, taker: str) -> Outcome:
        """Take the request back; if it was answered just now, that stands."""
        key = "" if row is None else row.key

        def make(now: LeaseRow | None, _nonce: str) -> RowWrite | None:
            is_waiting = outcome(now, owner=owner, taker=taker) == "waiting"
            return writes.withdraw(key, me=taker, victim=owner) if is_waiting else None

        try:
            edited = self.editor.edit(row, make)
        except KclError as error:
            raise Unavailable(
                f"{owner} was asked to hand {key} over, and whether the request could be taken "
                f"back is not known ({error}); it may still hand over: look with kcl leases"
            ) from None
        found = outcome(edited.row, owner=owner, taker=taker)
        return "withdrawn" if edited.is_new and found == "kept" else found
