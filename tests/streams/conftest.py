"""What do tests of streams share? An engine, and streams of their own on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from kcl_py.streams import Stream, ensure_stream

if TYPE_CHECKING:
    import boto3.session

MakeStream: TypeAlias = Callable[..., Stream]


@pytest.fixture(scope="session")
def engine() -> Iterator[EngineProcess]:
    with EngineProcess() as running:
        yield running


@pytest.fixture(scope="session")
def session(engine: EngineProcess) -> boto3.session.Session:
    return make_session(engine.endpoint_url)


@pytest.fixture(scope="session")
def kinesis(session: boto3.session.Session) -> Any:
    return session.client("kinesis")


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def make(session: boto3.session.Session, numbers: Iterator[int]) -> MakeStream:
    def make(**how: Any) -> Stream:
        return ensure_stream(f"stream-{next(numbers)}", session=session, **how)

    return make
