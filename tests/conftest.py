"""How do all tests run? The same examples every time, without deadlines, on every core."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Share plain `pytest` among as many processes as there are cores; `-n 0` shares nothing.

    Much of it waits for processes of its own. Whatever is selected runs in one process: what
    measures times wants the machine for itself, and few tests are not worth a second process.
    """
    options = config.option
    is_plain = (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and options.markexpr in config.getini("addopts")
        and not options.keyword
        and not options.usepdb
        and not hasattr(config, "workerinput")  # one of those processes
    )
    if is_plain and config.pluginmanager.hasplugin("xdist") and options.numprocesses is None:
        options.numprocesses, options.dist = "auto", "worksteal"


@pytest.fixture(scope="session", autouse=True)
def botocore_reads_once() -> Iterator[None]:
    """All sessions share what botocore reads from its files: two thirds of what a client costs.

    A test makes clients by the dozen where a program makes one. Nothing changes what was read.
    """
    with pytest.MonkeyPatch.context() as patched:
        once = functools.cache(botocore.session.create_loader)
        patched.setattr(botocore.session, "create_loader", once)
        yield


if "KCL_TEST_RECORD_CALLS" in os.environ:
    from tests.iam import suite

    suite.record(Path(os.environ[suite.VARIABLE]))
    suite.record_children()
