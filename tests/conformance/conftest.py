"""Which engines do the conformance tests run against, and in what do they differ from AWS?

`embedded` is ours and always there. The others are named by environment variables that hold their
URL; an engine that is not running is skipped by name. What an engine is known to get wrong stands
in `DEVIATIONS` and is an expected failure there: when it gets it right one day, the test says so.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from kcl_py.local.process import EngineProcess

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

KINESIS_ENGINES = {
    "embedded": None,
    "kinesis-local": "KCL_TEST_KINESIS_LOCAL",
    "moto": "KCL_TEST_MOTO",
}
DYNAMODB_ENGINES = {
    "embedded": None,
    "dynamodb-local": "KCL_TEST_DYNAMODB_LOCAL",
    "moto": "KCL_TEST_MOTO",
}

DEVIATIONS: dict[tuple[str, str], str] = {}
"""(engine, test) -> what the engine does instead."""

_names = itertools.count()


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    with EngineProcess("--no-limits") as engine:
        yield engine.endpoint_url
    _make_client.cache_clear()


@pytest.fixture(params=sorted(KINESIS_ENGINES))
def kinesis_client(request: pytest.FixtureRequest) -> Iterator[KinesisClient]:
    yield from _client(request, "kinesis", KINESIS_ENGINES[request.param])


@pytest.fixture(params=sorted(DYNAMODB_ENGINES))
def dynamodb_client(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    yield from _client(request, "dynamodb", DYNAMODB_ENGINES[request.param])


def _client(request: pytest.FixtureRequest, service: Any, variable: str | None) -> Iterator[Any]:
    url = request.getfixturevalue("embedded_url") if variable is None else os.environ.get(variable)
    if not url:
        pytest.skip(f"{request.param} is not running: {variable} is not set")
    deviation = DEVIATIONS.get((request.param, request.node.originalname))
    if deviation is not None:
        request.applymarker(pytest.mark.xfail(reason=deviation, strict=True))
    yield _make_client(service, url)


@functools.cache
def _make_client(service: Any, url: str) -> Any:
    """One client per engine and service: making it takes longer than most tests."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )


@pytest.fixture
def new_name() -> str:
    return f"conformance-{os.getpid()}-{next(_names)}"
