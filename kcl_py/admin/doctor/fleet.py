"""Is every shard in somebody's hands, and do those hands move?"""

from __future__ import annotations

from typing import Final

from kcl_py._words import counted
from kcl_py.admin.doctor.evidence import Evidence
from kcl_py.admin.doctor.findings import Finding, ok, problem, skipped, some, unknown, warning
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow
from kcl_py.core.shards.births import waits_for_parents
from kcl_py.core.shards.graph import Lineage

DURATION_DEFAULT: Final = 10.0
"""Seconds, of a row that names none. Source: `leases.duration`."""


def check_workers(evidence: Evidence) -> list[Finding]:
    """Say whether anybody works, and whether all that work may take what there is."""
    if not evidence.workers and not evidence.leases:
        return []
    live = [name for name in evidence.workers if evidence.liveness.get(name) == "live"]
    unsure = [name for name in evidence.workers if evidence.liveness.get(name) == "unknown"]
    if not live:
        if unsure:
            return [_not_sure("workers", unsure, evidence)]
        return [problem("workers", "no worker is alive", "start one; see the log of the last")]
    found = [ok("workers", f"{len(live)} alive")]
    limits = [evidence.workers[name].lease_max for name in live]
    wanted = sum(not row.is_finished for row in evidence.leases.values())
    allowed = sum(limit for limit in limits if limit is not None)
    if None not in limits and allowed < wanted:
        found.append(
            problem(
                "too few places",
                f"{counted(wanted, 'shard')}, and leases.max_leases of all workers together is "
                f"{allowed}",
                "raise leases.max_leases, or start more workers",
            )
        )
    versions = {evidence.workers[name].plan_version for name in live}
    if len(versions) > 1:
        found.append(
            warning(
                "plan versions",
                f"workers compute plans of versions {sorted(versions)}",
                "finish the deploy: leases move more than needed until then",
            )
        )
    return found


def check_leases(evidence: Evidence) -> list[Finding]:
    """Name leases that nobody holds, or whose holder does not move."""
    waiting = {key for key, row in evidence.leases.items() if _waits(row, evidence)}
    open_leases = {
        key: row
        for key, row in evidence.leases.items()
        if not row.is_finished and key not in waiting
    }
    ownerless = [key for key, row in open_leases.items() if row.is_ownerless or row.is_offered]
    stuck = [key for key, row in open_leases.items() if _is_stuck(row, evidence)]
    unsure = [key for key, row in open_leases.items() if _is_unsure(row, evidence)]
    found = []
    if stuck:
        found.append(
            problem(
                "stuck leases",
                f"{some(stuck)}: the owner's counters stood still for {evidence.watched:.0f} s",
                "a live fleet takes them by itself; if it does not, look at leases.max_leases and "
                "at the logs of the workers for lease.take_retried",
            )
        )
    if ownerless:
        found.append(
            problem(
                "leases without an owner",
                some(ownerless),
                "start workers; if there are some, look at leases.max_leases and at their logs",
            )
        )
    if unsure:
        found.append(_not_sure("leases", unsure, evidence))
    if open_leases and not found:
        found.append(ok("leases", f"{len(open_leases)} held by owners that move"))
    return found


def check_paused(evidence: Evidence) -> list[Finding]:
    """Name shards that wait for somebody to resume them."""
    waiting = {key: row for key, row in evidence.leases.items() if not row.is_finished}
    paused = [key for key, row in waiting.items() if row.paused]
    halted = [key for key, row in waiting.items() if row.halted and not row.paused]
    found = []
    if paused:
        found.append(
            problem(
                "paused shards",
                f"{some(paused)}: nothing is tried there",
                f"mend the cause (processor.failed in the log), then `kcl leases resume "
                f"{paused[0]} --app {evidence.app_name}`",
            )
        )
    if halted:
        found.append(
            warning(
                "paused shards",
                f"{some(halted)}: somebody paused them; they fall behind",
                f"`kcl leases resume {halted[0]} --app {evidence.app_name}` lets them go on",
            )
        )
    return found


def check_shards_have_leases(evidence: Evidence) -> list[Finding]:
    """Name shards without a lease whose parents are done, and leases of shards that are gone."""
    if evidence.shards is None or not evidence.leases:
        return []
    lineage = Lineage(evidence.shards)
    rows = evidence.leases
    oldest_known = {key for key in rows if key in lineage.shards}
    uncovered = [
        shard.shard_id
        for shard in lineage.shards.values()
        if shard.shard_id not in rows
        and any(parent in oldest_known for parent in shard.parents)
        and all(parent not in rows or rows[parent].is_finished for parent in shard.parents)
    ]
    orphaned = [
        key for key, row in rows.items() if key not in lineage.shards and not row.is_finished
    ]
    found = []
    if uncovered:
        found.append(
            problem(
                "shards without a lease",
                f"{some(uncovered)}: their parents are finished, and they have no row",
                "a live worker repairs this within minutes (shard.repaired); if none is, start one",
            )
        )
    if orphaned:
        found.append(
            warning(
                "orphaned leases",
                f"{some(orphaned)}: the stream has forgotten these shards unread",
                "what was in them is gone; a worker finds out and ends them, then `kcl leases gc` "
                "removes the rows",
            )
        )
    return found


def _not_sure(check: str, names: list[str], evidence: Evidence) -> Finding:
    if evidence.is_watched:
        return unknown(check, f"watched too briefly for {some(names)}", "--watch 15s")
    says = f"not watched, so it is not known whether anything moves of {some(names)}"
    return skipped(check, says, "without --watch it looks until it is sure")


def _is_stuck(row: LeaseRow, evidence: Evidence) -> bool:
    owner = row.actual_owner
    if owner is None or row.is_offered:
        return False
    if owner == PLACEHOLDER_OWNER:
        return evidence.watched >= row.wait_seconds(DURATION_DEFAULT)
    return evidence.liveness.get(owner) == "dead"


def _is_unsure(row: LeaseRow, evidence: Evidence) -> bool:
    owner = row.actual_owner
    if owner is None or row.is_offered:
        return False
    if owner == PLACEHOLDER_OWNER:  # taken away from whoever had it, and nobody's so far
        return not _is_stuck(row, evidence)
    return evidence.liveness.get(owner, "unknown") == "unknown"


def _waits(row: LeaseRow, evidence: Evidence) -> bool:
    rows = evidence.leases
    return waits_for_parents(row) and any(
        name in rows and not rows[name].is_finished for name in row.parents
    )
