"""How long does one look at the table keep a worker busy? Production code, on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import process_time
from typing import TYPE_CHECKING

from kcl_py.aws import attributes as wire
from kcl_py.aws.lease_codec import decode_row
from kcl_py.core.leases.balance import scan_interval
from kcl_py.core.leases.plan import plan
from kcl_py.core.leases.rows import LeaseRow, WorkerRow
from kcl_py.core.leases.sights import Sights
from kcl_py.core.leases.view import build_view
from kcl_py.testing.scale.units import lease_item

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcl_py.aws.attributes import Item
    from kcl_py.testing.scale.figures import Size

_DURATION = 10.0
_SCANS = 3
"""The first one fills memory; the shortest of the others counts, other programs disturb it less."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Seconds of one core that each scan takes, and the scan interval in which it comes again.

    Attributes:
        decode, notice, review: Reading the items, taking note of them, and the view and plan of a
            fleet that needs no change.
    """

    size: Size
    decode: float
    notice: float
    review: float
    interval: float

    @property
    def share(self) -> float:
        """Which part of a core it takes."""
        return (self.decode + self.notice + self.review) / self.interval


def busy_with(size: Size, clock: Callable[[], float] = process_time) -> Busy:
    """Measure the looks of one worker of a fleet of this size.

    Args:
        size: Workers and shards.
        clock: Seconds of a core used so far.
    """
    workers, shards = size
    item = lease_item()
    items = [
        {**item, wire.KEY: wire.text(_key(n)), wire.OWNER: wire.text(f"worker-{n % workers}")}
        for n in range(shards)
    ]
    sights = Sights(me="worker-0", duration=_DURATION)
    for number in range(workers):
        sights.see_worker(0.0, WorkerRow(key=f"worker-{number}", beat=1, duration=_DURATION))
    scans = [_one_scan(sights, items, float(scan), clock) for scan in range(1, _SCANS + 1)]
    decode, notice, review = (min(times) for times in zip(*scans[1:], strict=True))
    return Busy(size, decode, notice, review, scan_interval(None, _DURATION, workers))


def _one_scan(
    sights: Sights, items: Sequence[Item], at: float, clock: Callable[[], float]
) -> tuple[float, float, float]:
    began = clock()
    rows = [row for row in map(decode_row, items) if isinstance(row, LeaseRow)]
    decode = clock() - began
    # Every owner has renewed since the last scan.
    moved = [replace(row, counter=row.counter + int(at)) for row in rows]
    began = clock()
    for row in moved:
        sights.see_lease(at, row, asked_at=at, consistent=False)
    notice = clock() - began
    began = clock()
    mine = {row.key: "worker-0" for row in rows if row.owner == "worker-0"}
    view = build_view(sights, at, me="worker-0", lease_max=None, mine=mine)
    decided = plan(view.leases, view.workers)
    assert decided.is_empty
    return decode, notice, clock() - began


def _key(number: int) -> str:
    return f"shardId-{number:012d}"
