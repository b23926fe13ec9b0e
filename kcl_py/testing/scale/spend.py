"""How many units per second does a fleet take: ours as it was simulated, and the Java KCL?

The Java KCL is not simulated: its rates follow from its published intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.core.leases.scanner import INDEX_INTERVAL_MAX
from kcl_py.core.shards.audit import AUDIT_ALONE_EVERY, AUDIT_EVERY
from kcl_py.testing.scale.prices import month_usd
from kcl_py.testing.scale.units import measured

if TYPE_CHECKING:
    from kcl_py.testing.scale.fleet import Fleet

# Source of all JAVA_ values: the Java KCL 3.5.1 at its defaults, lease duration F = 10 s:
# CommonCalculations (renew F/3 - e, take 2(F + e), e = 25 ms), LeaseAssignmentManager (2F),
# DynamoDBLeaseDiscoverer (half of that - e), WorkerMetricStatsReporter (30 s), the leader's lock.
JAVA_RENEW_SECONDS = 3.308
JAVA_TAKE_SECONDS = 20.05
JAVA_ASSIGN_SECONDS = 20.0
JAVA_DISCOVER_SECONDS = 9.975
JAVA_METRICS_SECONDS = 30.0
JAVA_LOCK_SECONDS = 30.0
JAVA_AUDIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Spend:
    """Units per second."""

    reads: float
    writes: float

    @property
    def usd(self) -> float:
        """US dollars a month."""
        return month_usd(self.reads, self.writes)


def spent_by(fleet: Fleet) -> Spend:
    """Return what a run took: what was simulated, and what is periodic."""
    units, seconds = fleet.units, fleet.now
    steps = sum(count * units.writes.get(step, 0.0) for step, count in fleet.spent.items())
    renewals = fleet.lease_seconds / fleet.renew_period * units.writes["renew"]
    beats = fleet.worker_seconds / fleet.renew_period * units.writes["beat"]
    each = fleet.lease_seconds / max(1.0, fleet.worker_seconds)
    looks = fleet.worker_seconds / (min(INDEX_INTERVAL_MAX, fleet.duration / 3) + fleet.mean_rtt())
    audit = units.scan(len(fleet.table.leases), len(fleet.table.running), consistent=True)
    audits = fleet.worker_seconds / AUDIT_ALONE_EVERY + seconds / AUDIT_EVERY
    reads = fleet.read_units + looks * units.index_query(each) + audits * audit
    return Spend(reads / seconds, (steps + renewals + beats) / seconds)


def java_2(workers: int, shards: int, *, checkpoint_seconds: float) -> Spend:
    """Return what the Java KCL 2 takes: every worker scans, checkpoints are writes of their own."""
    writes = shards / JAVA_RENEW_SECONDS + shards / checkpoint_seconds
    return Spend(workers * measured().scan(shards, 0) / JAVA_TAKE_SECONDS, writes)


def java_3(workers: int, shards: int, *, checkpoint_seconds: float) -> Spend:
    """Return what the Java KCL 3 takes: only the leader scans, workers ask the index."""
    units = measured()
    scans = units.scan(shards, workers) / JAVA_ASSIGN_SECONDS
    audits = units.scan(shards, workers) / JAVA_AUDIT_SECONDS
    discovery = workers * units.index_query(shards / workers) / JAVA_DISCOVER_SECONDS
    writes = (
        shards / JAVA_RENEW_SECONDS
        + shards / checkpoint_seconds
        + workers / JAVA_METRICS_SECONDS
        + 1 / JAVA_LOCK_SECONDS
    )
    return Spend(scans + audits + discovery, writes)
