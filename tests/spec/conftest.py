"""How do many runs of TLC share two cores? Two at a time; and says so when none could run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.spec.tables import Mutant, Run
from tests.spec.tlc import Verdict, check, configuration, why_not

if TYPE_CHECKING:
    Check: TypeAlias = Callable[[Run | Mutant], Verdict]

AT_ONCE = 2
SECONDS_MAX = {"slow": 600.0, "exhaustive": 7200.0}
"""Far above what is recorded: another machine may be busy."""


def check_case(case: Run | Mutant, mark: str) -> Verdict:
    """Run TLC as a row of the tables says."""
    constants = case.constants if isinstance(case, Mutant) else {}
    return check(
        case.module,
        configuration(case.config, constants),
        timeout=SECONDS_MAX[mark],
        is_short=mark == "slow",
    )


@pytest.fixture(scope="session")
def tlc(request: pytest.FixtureRequest) -> Iterator[Check]:
    """Give the verdict on a case; those of the tests that follow are worked out meanwhile.

    Where the suite is shared among processes, nobody knows which tests come to which one; there
    these processes are what runs at the same time.
    """
    cases = [*_cases(request.session)]
    if hasattr(request.config, "workerinput"):
        yield lambda case: next(check_case(*known) for known in cases if known[0] is case)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = [(case, pool.submit(check_case, case, mark)) for case, mark in cases]
        yield lambda case: next(future for known, future in started if known is case).result()
        pool.shutdown(cancel_futures=True)


def _cases(session: pytest.Session) -> Iterator[tuple[Run | Mutant, str]]:
    for item in session.items:
        if isinstance(item, pytest.Function) and "tlc" in item.fixturenames:
            case = item.callspec.params["case"]
            assert isinstance(case, Run | Mutant)
            yield case, next(mark for mark in SECONDS_MAX if item.get_closest_marker(mark))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell in one line what is missing to run TLC."""
    if why := why_not():
        terminalreporter.write_line(f"skipped the runs of the model: {why}")
