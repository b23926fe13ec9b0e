"""What is wrong with an application, and what is the way out? Evidence in, findings out.

Pure: what was seen is in `evidence`, what it means in the other files. Nothing here asks AWS.
"""

from __future__ import annotations

from kcl_py.admin.doctor.checkup import examine
from kcl_py.admin.doctor.evidence import ClockSeen, Evidence, Liveness, Right, ShardCount
from kcl_py.admin.doctor.findings import Finding, Level

__all__ = [
    "ClockSeen",
    "Evidence",
    "Finding",
    "Level",
    "Liveness",
    "Right",
    "ShardCount",
    "examine",
]
