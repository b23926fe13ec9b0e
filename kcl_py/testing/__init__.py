"""What can a user test with? Small doubles for unit tests, and a simulated world to run in.

    batch, checkpoints = make_batch([{"age": 30}, {"age": 40}], lose_lease_after=1)
    run = run_processor(MyProcessor, people, incidents=[CrashAfter(records=70)])

No test framework is needed, no network, and no waiting: time is virtual. Who uses pytest has the
fixtures `kcl_simulation` and `kcl_engine` as well.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.testing.kit.doubles import (
        CheckpointLog,
        Payload,
        make_async_batch,
        make_batch,
        make_record,
    )
    from kcl_py.testing.kit.incidents import (
        Awakening,
        CrashAfter,
        CrashAt,
        HandOffAfter,
        Incident,
        LoseLeaseAfter,
        LoseLeaseAt,
        MergeAfter,
        SplitAfter,
        ThrottleAfter,
    )
    from kcl_py.testing.kit.moments import moment
    from kcl_py.testing.kit.processor_run import ProcessorRun, run_processor
    from kcl_py.testing.kit.simulation import Simulation
    from kcl_py.testing.sim.clocks import FakeClock

__all__ = [
    "Awakening",
    "CheckpointLog",
    "CrashAfter",
    "CrashAt",
    "FakeClock",
    "HandOffAfter",
    "Incident",
    "LoseLeaseAfter",
    "LoseLeaseAt",
    "MergeAfter",
    "Payload",
    "ProcessorRun",
    "Simulation",
    "SplitAfter",
    "ThrottleAfter",
    "make_async_batch",
    "make_batch",
    "make_record",
    "moment",
    "run_processor",
]

# pytest loads the plugin of this package in every run of every project beside it, so the package
# costs nothing before one of its names is asked for.
_MODULE_NAMES = MappingProxyType(
    {
        "sim.clocks": "FakeClock",
        "kit.doubles": "CheckpointLog Payload make_async_batch make_batch make_record",
        "kit.incidents": (
            "Awakening CrashAfter CrashAt HandOffAfter Incident LoseLeaseAfter LoseLeaseAt "
            "MergeAfter SplitAfter ThrottleAfter"
        ),
        "kit.moments": "moment",
        "kit.processor_run": "ProcessorRun run_processor",
        "kit.simulation": "Simulation",
    }
)
_MODULE_OF = {name: module for module, names in _MODULE_NAMES.items() for name in names.split()}


if not TYPE_CHECKING:  # Type checkers would take a module with `__getattr__` to have every name.

    def __getattr__(name: str) -> object:
        """Import the module of a public name, and keep the name for next time (PEP 562)."""
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
