"""What is done with one HTTP request, and what is answered?

Knows no socket: `server.py` hands requests in and carries out what `Front.plan` says.
"""

from __future__ import annotations

import logging
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, NamedTuple

import msgspec

from kcl_py.local.dynamo import Dynamo
from kcl_py.local.errors import AwsError
from kcl_py.local.event_stream import CONTENT_TYPE as EVENT_STREAM
from kcl_py.local.faults import Asked, FaultPlan, FaultRule
from kcl_py.local.kinesis import Kinesis
from kcl_py.local.kinesis.subscriptions import Subscription
from kcl_py.local.pushing import Push
from kcl_py.local.wire import decode_request, encode_answer

_log = logging.getLogger("kcl_py.local")

_SERVICES = {"Kinesis_20131202": "kinesis", "DynamoDB_20120810": "dynamodb"}
_SOURCE = re.compile(r"Credential=([^/,\s]+)/")
_THROTTLED = AwsError("ProvisionedThroughputExceededException", "throttled by a fault rule")
_DENIED = AwsError("AccessDeniedException", "denied by a fault rule")
_BROKEN = {
    "kinesis": AwsError("InternalFailure", "broken by a fault rule", 500),
    "dynamodb": AwsError("InternalServerError", "broken by a fault rule", 500),
}
_JSON_TYPES = {"kinesis": "application/x-amz-json-1.1", "dynamodb": "application/x-amz-json-1.0"}


class HttpRequest(NamedTuple):
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What to send back. `content` is a body, or an answer that is still to be encoded."""

    status: int
    content: bytes | dict[str, Any]
    service: str | None = None


class Plan(NamedTuple):
    """How to go about a request: wait, then do it; then wait, and answer or close."""

    do: Callable[[], Answer] | None
    wait_before: float = 0.0
    close_after: float | None = None


class Front:
    """Both services, the faults in front of them, and the control endpoints."""

    def __init__(
        self,
        kinesis: Kinesis,
        dynamo: Dynamo,
        faults: FaultPlan,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.kinesis = kinesis
        self.dynamo = dynamo
        self.faults = faults
        self._clock = clock
        self._rng = rng
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._date: tuple[int, str] = (-1, "")

    def plan(self, http: HttpRequest) -> Plan:
        """What to do about this request."""
        if http.path.startswith("/_kcl/"):
            return Plan(lambda: self._control(http))
        try:
            asked = self._read(http)
        except AwsError as error:
            refused = self._refuse(Asked("unknown", "unknown", None, {}), error)
            return Plan(lambda: refused)
        rule = self.faults.strike(asked)
        if rule is None:
            return Plan(lambda: self._run(asked))
        return self._faulty(rule, asked)

    def head(self, answer: Answer, body: bytes) -> bytes:
        """The status line and headers of an answer."""
        content_type = _JSON_TYPES.get(answer.service or "", "application/json")
        lines = [*self._lines(answer.status, content_type), f"Content-Length: {len(body)}"]
        if answer.service == "dynamodb":
            lines.append(f"x-amz-crc32: {zlib.crc32(body)}")
        return "\r\n".join((*lines, "", "")).encode("ascii")

    def stream_head(self) -> bytes:
        """The status line and headers of a stream of events, which comes in chunks."""
        lines = [*self._lines(_OK, EVENT_STREAM), "Transfer-Encoding: chunked"]
        return "\r\n".join((*lines, "", "")).encode("ascii")

    def push(
        self, answer: Answer, write: Callable[[bytes], None], done: Callable[[], None]
    ) -> Push | None:
        """What goes on sending, when the answer is a subscription and not all of it is here."""
        content = answer.content
        subscription = None if isinstance(content, bytes) else content.get("EventStream")
        if not isinstance(subscription, Subscription):
            return None
        return Push(subscription, self._clock, write, done)

    def _lines(self, status: int, content_type: str) -> list[str]:
        return [
            f"HTTP/1.1 {status} {'OK' if status == _OK else 'Error'}",
            f"x-amzn-RequestId: {self._rng.getrandbits(128):032X}",
            f"Content-Type: {content_type}",
            f"Date: {self._http_date()}",
        ]

    def _http_date(self) -> str:
        second = int(self._clock())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]

    def _read(self, http: HttpRequest) -> Asked:
        if "cbor" in http.headers.get("content-type", ""):
            raise AwsError(
                "SerializationException",
                "this engine speaks JSON only; switch CBOR off in the client (AWS_CBOR_DISABLE=1)",
            )
        prefix, _, operation = http.headers.get("x-amz-target", "").rpartition(".")
        service = _SERVICES.get(prefix)
        if service is None:
            raise AwsError(
                "UnknownOperationException",
                "X-Amz-Target names neither Kinesis_20131202 nor DynamoDB_20120810",
            )
        signed = _SOURCE.search(http.headers.get("authorization", ""))
        request = decode_request(service, operation, http.body)
        return Asked(service, operation, signed[1] if signed else None, request)

    def _run(self, asked: Asked) -> Answer:
        model = self.kinesis if asked.service == "kinesis" else self.dynamo
        try:
            content = model.call(asked.operation, asked.request)
        except AwsError as error:
            return self._refuse(asked, error)
        except Exception:  # noqa: BLE001 - logged; the client gets a 500 and may go on
            _log.exception("engine.crashed %s %s", asked.service, asked.operation)
            broken = AwsError("InternalFailure", "a bug of the engine; see its log", 500)
            return self._refuse(asked, broken)
        self._counts[asked.service, asked.operation, "ok"] += 1
        return Answer(_OK, content, asked.service)

    def _refuse(self, asked: Asked, error: AwsError) -> Answer:
        self._counts[asked.service, asked.operation, error.code] += 1
        content = {"__type": error.code, "message": error.message, **error.extra}
        return Answer(error.status, encode_answer(content), asked.service)

    def _faulty(self, rule: FaultRule, asked: Asked) -> Plan:
        match rule.kind:
            case "delay":
                return Plan(lambda: self._run(asked), wait_before=rule.seconds)
            case "cut":
                self._counts[asked.service, asked.operation, "cut"] += 1
                return Plan(None, close_after=rule.seconds)
            case "lost":
                return Plan(lambda: self._run(asked), close_after=rule.seconds)
            case "partial":
                return Plan(lambda: self._run_partly(rule, asked))
            case "throttle":
                error = _THROTTLED
            case "deny":
                error = _DENIED
            case _:
                error = _BROKEN[asked.service]
        return Plan(lambda: self._refuse(asked, error))

    def _run_partly(self, rule: FaultRule, asked: Asked) -> Answer:
        def leave_out() -> bool:
            return rule.rng.random() < rule.probability

        self.kinesis.fail_record = self.dynamo.world.leave_unprocessed = leave_out
        try:
            return self._run(asked)
        finally:
            self.kinesis.fail_record = self.dynamo.world.leave_unprocessed = None

    def _control(self, http: HttpRequest) -> Answer:
        match http.method, http.path:
            case "GET", "/_kcl/health":
                return Answer(_OK, {"healthy": True})
            case "GET", "/_kcl/requests":
                return Answer(_OK, self._counted())
            case "DELETE", "/_kcl/requests":
                self._counts.clear()
                return Answer(_OK, {})
            case "GET", "/_kcl/faults":
                return Answer(_OK, {"rules": [rule.describe() for rule in self.faults.rules]})
            case "POST", "/_kcl/faults":
                return self._set_faults(http.body)
        return Answer(404, {"message": f"there is no {http.method} {http.path}"})

    def _set_faults(self, body: bytes) -> Answer:
        try:
            given = msgspec.json.decode(body)
            rules, seed = (
                (given["rules"], given.get("seed")) if isinstance(given, dict) else (given, None)
            )
            self.faults.replace(rules, seed)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            return Answer(400, {"message": f"these fault rules are not understood: {error}"})
        return Answer(_OK, {"rules": [rule.describe() for rule in self.faults.rules]})

    def _counted(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for (service, operation, outcome), count in sorted(self._counts.items()):
            tree.setdefault(service, {}).setdefault(operation, {})[outcome] = count
        return tree


_OK = 200
