"""In which order is an application examined, and where does that end early?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from kcl_py.admin.doctor.evidence import Evidence
from kcl_py.admin.doctor.findings import Finding, problem
from kcl_py.admin.doctor.fleet import (
    check_leases,
    check_paused,
    check_shards_have_leases,
    check_workers,
)
from kcl_py.admin.doctor.machine import check_clock, check_rights
from kcl_py.admin.doctor.stream import check_limits, check_retention, check_stream
from kcl_py.admin.doctor.table import check_application, check_rows, check_table

CHECKS: Final[Sequence[Callable[[Evidence], list[Finding]]]] = (
    check_rights,
    check_clock,
    check_stream,
    check_limits,
    check_table,
    check_application,
    check_rows,
    check_workers,
    check_leases,
    check_paused,
    check_shards_have_leases,
    check_retention,
)


def examine(evidence: Evidence) -> list[Finding]:
    """Judge all that was seen; what was not seen says nothing, or that it is unknown."""
    if evidence.stopped_by is not None:
        return [problem("credentials", str(evidence.stopped_by), "the message says what to set")]
    return [finding for check in CHECKS for finding in check(evidence)]
