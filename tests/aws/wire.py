"""How do tests speak HTTP without a network? boto3 clients whose requests a function answers."""

from __future__ import annotations

import base64
import functools
import io
import json
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import boto3.session
from botocore.awsrequest import AWSResponse, HeadersDict

from kcl_py.aws.clients import Clients, make_clients
from kcl_py.aws.names import parse_stream
from kcl_py.config import WorkerConfig
from kcl_py.local.dynamo import Dynamo
from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis import Kinesis

REGION = "eu-west-1"
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"
DATE_SECONDS = 1795255200.0

Answerer: TypeAlias = Callable[[str, dict[str, Any]], "Canned | Exception"]


class Canned:
    """One HTTP answer."""

    def __init__(
        self, body: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {"Date": DATE, "Content-Type": "application/x-amz-json-1.1"} | dict(
            headers or {}
        )


class _Raw(io.BytesIO):
    def stream(self, *_args: object, **_kwargs: object) -> list[bytes]:
        return [self.read()]


def error(code: str, message: str = "no", status: int = 400, **extra: object) -> Canned:
    """The service refuses."""
    return Canned({"__type": f"com.amazonaws#{code}", "message": message, **extra}, status)


def answer_with(client: Any, answerer: Answerer) -> None:
    """Let a function answer every request of a client instead of the network."""

    def send(request: Any, **_rest: object) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        canned = answerer(operation, json.loads(request.body))
        if isinstance(canned, Exception):
            raise canned
        headers: Any = HeadersDict(canned.headers)
        response = AWSResponse(request.url, canned.status, headers, _Raw(canned.body))
        assert response.content == canned.body
        return response

    client.meta.events.register("before-send.*", send, unique_id="canned")


@functools.cache
def session() -> boto3.session.Session:
    """One for all tests: making a client is slow until the service models are loaded."""
    return boto3.session.Session(
        aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="not-a-secret", region_name=REGION
    )


def clients(answerer: Answerer, *, stream: str = "orders") -> Clients:
    """All clients of a worker, answered by one function."""
    made = make_clients(WorkerConfig(), parse_stream(stream), session=session())
    for client in (
        made.lease_writes,
        made.table_reads,
        made.table_control,
        made.stream_reads,
        made.stream_control,
    ):
        answer_with(client, answerer)
    return made


def dynamo(seed: int = 0) -> Dynamo:
    """An engine of our own with an empty lease table `leases`."""
    from kcl_py.aws.table_setup import create_request
    from kcl_py.config import TableConfig

    now = [1_700_000_000.0]
    engine = Dynamo(lambda: now[0], random.Random(seed))
    engine.call("CreateTable", create_request("leases", TableConfig()))
    now[0] += 60
    return engine


def engine_answers(engine: Dynamo | Kinesis) -> Answerer:
    """Answer requests with an engine, as its HTTP front does."""

    def answer(operation: str, request: dict[str, Any]) -> Canned:
        try:
            return Canned(_to_wire(engine.call(operation, _from_wire(request))))
        except AwsError as refused:
            return error(refused.code, refused.message, refused.status, **_to_wire(refused.extra))

    return answer


def _from_wire(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"B"} and isinstance(value["B"], str):
            return {"B": base64.b64decode(value["B"])}
        return {key: _from_wire(content) for key, content in value.items()}
    return [_from_wire(entry) for entry in value] if isinstance(value, list) else value


def _to_wire(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _to_wire(content) for key, content in value.items()}
    return [_to_wire(entry) for entry in value] if isinstance(value, list | tuple) else value
