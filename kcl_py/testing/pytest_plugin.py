"""What does pytest get from this package? `kcl_simulation` under many seeds, and `kcl_engine`.

pytest loads this file in every run beside which kcl_py is installed. So it imports nothing but
pytest itself until a test asks for a fixture.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import pluggy

    from kcl_py.local import Engine
    from kcl_py.testing.kit.simulation import Simulation

SEEDS: Final = 10
"""Under so many seeds a test runs unless told otherwise; a run takes some 20 ms."""

_FIXTURE: Final = "kcl_simulation"
_simulation: Final = pytest.StashKey["Simulation"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how many seeds, or which one."""
    group = parser.getgroup("kcl_py", "processors in simulated worlds")
    group.addoption(
        "--kcl-seeds",
        type=int,
        metavar="N",
        help=f"run each test of {_FIXTURE} under the seeds 0 to N-1",
    )
    group.addoption("--kcl-seed", type=int, metavar="S", help="run them under this seed alone")
    parser.addini("kcl_seeds", f"default of --kcl-seeds ({SEEDS})", default=str(SEEDS))


def _seeds(config: pytest.Config) -> Sequence[int]:
    """Return the seeds that were asked for.

    Raises:
        UsageError: None at all: nothing would be tested.
    """
    one: int | None = config.getoption("--kcl-seed")
    if one is not None:
        return (one,)
    count: int | None = config.getoption("--kcl-seeds")
    text = str(config.getini("kcl_seeds")) if count is None else str(count)
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"--kcl-seeds and kcl_seeds want a number from 1 on, not {text!r}")
    return range(int(text))


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a wrong number before anything runs."""
    _seeds(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per seed, unless the test names its own."""
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if _FIXTURE in metafunc.fixturenames and _FIXTURE not in own:
        seeds = _seeds(metafunc.config)
        ids = [f"seed-{seed}" for seed in seeds]
        metafunc.parametrize(_FIXTURE, seeds, indirect=True, ids=ids)


@pytest.fixture
def kcl_simulation(request: pytest.FixtureRequest) -> Simulation:
    """`run_processor` without its `seed`: the test runs once for each of `--kcl-seeds N`.

    When the test fails, the report has the transcript of each run and how to repeat it.
    """
    from kcl_py.testing.kit.simulation import Simulation  # noqa: PLC0415 - see the head of this file

    simulation = Simulation(request.param)
    request.node.stash[_simulation] = simulation
    return simulation


@pytest.hookimpl(hookwrapper=True)  # the way that older versions of pytest know as well
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """Add what happened in the simulated world to the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    simulation = item.stash.get(_simulation, None)
    if report.failed and report.when == "call" and simulation is not None:
        again = f'pytest "{item.nodeid}" --kcl-seed {simulation.seed}'
        report.sections.append((_FIXTURE, f"{simulation.report()}\n\nto repeat it: {again}"))


@pytest.fixture
def kcl_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Kinesis and DynamoDB on 127.0.0.1 for this test alone, empty at its beginning.

    While the test runs the environment leads to the engine too, and nothing of your own AWS
    configuration is in it: a client that your code makes for itself cannot reach AWS.
    """
    from kcl_py.local import Engine  # noqa: PLC0415 - see the head of this file

    with Engine() as engine:
        wanted = engine.environment
        for name in os.environ.keys() - wanted.keys():
            monkeypatch.delenv(name)
        for name, value in wanted.items():
            if os.environ.get(name) != value:
                monkeypatch.setenv(name, value)
        with _no_default_session():
            yield engine


@contextmanager
def _no_default_session() -> Iterator[None]:
    """Keep apart what `boto3.client` remembers of the environment, before, now and after."""
    boto3 = sys.modules.get("boto3")
    before = getattr(boto3, "DEFAULT_SESSION", None)
    if boto3 is not None:
        boto3.DEFAULT_SESSION = None  # type: ignore[attr-defined] # known by its name alone here
    try:
        yield
    finally:
        boto3 = sys.modules.get("boto3")
        if boto3 is not None:
            boto3.DEFAULT_SESSION = before  # type: ignore[attr-defined] # as above
