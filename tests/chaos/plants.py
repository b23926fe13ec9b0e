"""Would a chaos run notice a broken library? Bugs that workers can be started with.

`python -m tests.chaos --seed 1 --plant steal` has to fail.
"""

from __future__ import annotations

from typing import Final

STEAL_SECONDS: Final = 0.2


def steal() -> None:
    """Leases of live workers count as expired when their counter stood still for a moment."""
    from kcl_py.core.leases.rows import LeaseRow

    def wait_seconds(row: LeaseRow, own_duration: float) -> float:
        del row, own_duration
        return STEAL_SECONDS

    LeaseRow.wait_seconds = wait_seconds  # type: ignore[assignment, method-assign]


def skip() -> None:
    """Whatever user code raises counts as success, so what it failed at is never done."""
    from kcl_py.core.commands import Method
    from kcl_py.shell.run import ProcessorRun

    def judge(run: ProcessorRun, raised: BaseException, method: Method) -> None:
        del run, raised, method

    ProcessorRun._judge = judge  # type: ignore[assignment, method-assign]


PLANTS: Final = {"steal": steal, "skip": skip}
