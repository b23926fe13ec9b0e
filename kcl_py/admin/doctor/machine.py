"""May this machine make the calls of a worker, and do its clocks run as they should?"""

from __future__ import annotations

from typing import Final

from kcl_py.admin.doctor.evidence import Evidence, Right
from kcl_py.admin.doctor.findings import Finding, ok, problem, some, unknown, warning
from kcl_py.core.events import FailureKind

SKEW_SECONDS_MAX: Final = 300.0
"""A request that is signed at another time than this around the service's is refused.

Source: Signature Version 4, "requests must reach AWS within five minutes of the timestamp".
"""

SKEW_SECONDS_NOTED: Final = 30.0

RATE_DEVIATION_MAX: Final = 0.001
"""Assumption A1 of the guarantees: rates within 0.1 %."""


def check_rights(evidence: Evidence) -> list[Finding]:
    """Name every call that is denied, with its action."""
    tried = [right for right in evidence.rights if not right.not_tried]
    denied = [right for right in tried if _is(right, FailureKind.DENIED)]
    found = [
        problem(
            "rights",
            f"{right.action} is denied: {right.failure.message}",
            f"allow {right.action}; `kcl iam policy worker` prints the whole policy",
        )
        for right in denied
        if right.failure is not None
    ]
    throttled = [right.action for right in tried if _is(right, FailureKind.THROTTLED)]
    if throttled:
        found.append(
            warning(
                "throttling",
                f"{some(throttled)}: throttled while we looked",
                "see who else calls; for a table with provisioned units, raise them",
            )
        )
    lost = [right for right in tried if _is(right, FailureKind.UNKNOWN)]
    found += [
        unknown("rights", f"{right.action}: {right.failure.message}", "check network and endpoint")
        for right in lost
        if right.failure is not None
    ]
    if not denied and not lost and tried:
        untried = [right.action for right in evidence.rights if right.not_tried]
        but = f"; not tried: {some(untried)}" if untried else ""
        found.append(ok("rights", f"{len(tried)} calls of a worker are allowed{but}"))
    return found


def check_clock(evidence: Evidence) -> list[Finding]:
    """Compare the wall clock with the service's, and how fast the two clocks here run."""
    found = []
    skew, rate = evidence.clock.skew, evidence.clock.rate
    if skew is None:
        found.append(unknown("clock", "the service did not say what time it is"))
    elif abs(skew) >= SKEW_SECONDS_MAX:
        found.append(
            problem("clock", f"the clock is {skew:+.0f} s off", "set it: signatures are refused")
        )
    elif abs(skew) >= SKEW_SECONDS_NOTED:
        found.append(
            warning(
                "clock",
                f"the clock is {skew:+.0f} s off",
                "run a time service; leases do not mind, signatures do from 300 s on",
            )
        )
    if rate is not None and abs(rate - 1) > RATE_DEVIATION_MAX:
        found.append(
            problem(
                "clock rate",
                f"the monotonic clock runs at {rate:.4f} of the wall clock",
                "do not run workers here before this is understood: leases rest on its rate "
                "(A1 of the guarantees); a clock that was just set explains it",
            )
        )
    if not found:
        runs = "" if rate is None else f", the rates of both clocks differ by {abs(rate - 1):.5f}"
        found.append(ok("clock", f"{skew:+.1f} s from the service's{runs}"))
    return found


def _is(right: Right, kind: FailureKind) -> bool:
    return right.failure is not None and right.failure.kind is kind
