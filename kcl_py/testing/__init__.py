"""What can a user test with? Small doubles for unit tests, and a simulated world to run in.

    batch, checkpoints = make_batch([{"age": 30}, {"age": 40}], lose_lease_after=1)
    run = run_processor(MyProcessor, people, incidents=[CrashAfter(records=70)])

No test framework is needed, no network, and no waiting: time is virtual.
"""

from __future__ import annotations

from kcl_py.testing.clocks import FakeClock
from kcl_py.testing.doubles import CheckpointLog, make_async_batch, make_batch, make_record
from kcl_py.testing.incidents import CrashAfter, HandOffAfter, Incident, LoseLeaseAfter, SplitAfter
from kcl_py.testing.processor_run import ProcessorRun, run_processor

__all__ = [
    "CheckpointLog",
    "CrashAfter",
    "FakeClock",
    "HandOffAfter",
    "Incident",
    "LoseLeaseAfter",
    "ProcessorRun",
    "SplitAfter",
    "make_async_batch",
    "make_batch",
    "make_record",
    "run_processor",
]
