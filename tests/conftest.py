"""How do all tests run? The same examples every time, without deadlines, on every core."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from hypothesis import HealthCheck, settings

from tests.sharing import share

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
    """Share plain `pytest`; `-n 0` shares nothing."""
    share(config)


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
