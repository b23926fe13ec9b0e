"""How is an operation called without what botocore does anew for every request?

The first calls go through the client. Once AWS has answered one and its request is one that we
would have made in the same way (see `route`), later calls go over connections of our own. What they
return and raise is what the client would, so that callers need not know.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import boto3.session
import msgspec
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from kcl_py.aws.decode import STATUS_OK
from kcl_py.aws.direct.connection import Pool
from kcl_py.aws.direct.http import Answer
from kcl_py.aws.direct.route import NotRepeatableError, Route, learn
from kcl_py.aws.failures import UnparsableAnswerError

LEARN_ATTEMPTS_MAX: Final = 3
"""One may fail for credentials that changed just then; what fails three times stays as it is."""

REFUSED_FROM: Final = 300
_encode: Final = msgspec.json.Encoder().encode


class DirectCall:
    """One operation of one client. Thread-safe; call it as the client's own method.

    Args:
        client: The authority, made by us from the user's session.
        operation: As AWS spells it.
        method: The client's name for it.
        session: Whose credentials the client signs with.
        decode: Makes what the client would return of body and headers of a successful answer.
        total_seconds: For a whole call; None: no limit but on silence.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - clients have no class before they are made
        operation: str,
        method: str,
        *,
        session: boto3.session.Session,
        decode: Callable[[bytes | bytearray, Mapping[bytes, bytes]], Mapping[str, Any]],
        total_seconds: float | None = None,
    ) -> None:
        self._client = client
        self._operation = operation
        self._by_client = getattr(client, method)
        self._credentials: Any = session.get_credentials()
        self._decode = decode
        self._total_seconds = total_seconds
        self._way: tuple[Route, Pool] | None = None
        self._lock = threading.Lock()
        self._attempts_left = LEARN_ATTEMPTS_MAX
        self._call = threading.local()
        self.why_not: str | None = "no call was answered yet"
        self._watch()

    def __call__(self, **parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as boto3's
        """Call the operation, once.

        Raises:
            ClientError: The service refused.
            BotoCoreError: No usable answer came.
            UnparsableAnswerError: Something came that is no answer.
        """
        body = _encode(parameters)
        way = self._way
        if way is None:
            return self._ask_client(parameters, body)
        route, pool = way
        keys = self._credentials.get_frozen_credentials()
        if getattr(keys, "account_id", None) != route.account_id:
            self._forget(way)
            return self._ask_client(parameters, body)
        request = route.spell(keys, body, time.time())
        del body  # of megabytes, perhaps, and whole in the request: not twice while we wait
        answer = pool.ask(request)
        if answer.status == STATUS_OK:
            return self._decode(answer.body, answer.headers)
        raise self._refusal(answer)

    def close(self) -> None:
        """Close the connections."""
        way = self._way
        if way is not None:
            way[1].close()

    # -------------------------------------------------------------------------------- refused calls

    def _refusal(self, answer: Answer) -> Exception:
        """Return what the client would raise, by botocore's own parser of errors."""
        if answer.status < REFUSED_FROM:
            return UnparsableAnswerError(f"an answer with the status {answer.status}")
        model = self._client.meta.service_model
        headers: Any = HeadersDict(
            {
                name.decode("latin-1"): text.decode("latin-1")
                for name, text in answer.headers.items()
            }
        )
        said = {
            "headers": headers,
            "status_code": answer.status,
            "body": bytes(answer.body),
            "context": {"operation_name": self._operation},
        }
        parser = create_parser("json")
        parsed = parser.parse(said, model.operation_model(self._operation).output_shape)
        code = parsed.get("Error", {}).get("Code")
        shape = model.shape_for_error_code(code) if code is not None else None
        if shape is not None:
            parsed.update(parser.parse(said, shape))
        # What a client of one attempt adds.
        parsed["ResponseMetadata"] |= {"MaxAttemptsReached": True, "RetryAttempts": 0}
        error: Exception = self._client.exceptions.from_code(code)(parsed, self._operation)
        return error

    # ------------------------------------------------------------------------------------- learning

    def _ask_client(self, parameters: Mapping[str, Any], body: bytes) -> Mapping[str, Any]:
        self._call.body = body
        try:
            answer: Mapping[str, Any] = self._by_client(**parameters)
            return answer
        finally:
            # A request holds a token, and both hold the data.
            self._call.prepared, self._call.body = None, b""

    def _watch(self) -> None:
        events, service = self._client.meta.events, self._client.meta.service_model.service_id
        where = f"{service.hyphenize()}.{self._operation}"
        # First, because whoever answers ends the event.
        for event, handler in (("before-send", self._see), ("needs-retry", self._learn)):
            events.register_first(f"{event}.{where}", handler, unique_id=f"kcl_py-direct-{event}")

    def _see(self, request: Any, **_rest: object) -> None:  # noqa: ANN401
        self._call.prepared = request

    def _learn(self, response: Any, endpoint: Any, **_rest: object) -> None:  # noqa: ANN401
        prepared = getattr(self._call, "prepared", None)
        if prepared is None or response is None or response[0].status_code != STATUS_OK:
            return
        with self._lock:
            if self._way is not None or self._attempts_left == 0:
                return
            try:
                route = self._learned(prepared, response[0], endpoint.http_session)
            except Exception as error:  # noqa: BLE001 - the client works, whatever is wrong here
                self._attempts_left -= 1
                known = isinstance(error, NotRepeatableError)
                self.why_not = str(error) if known else type(error).__name__
                return
            self._way = route, Pool(route.place, self._client.meta.config.max_pool_connections)
            self.why_not = None

    def _learned(self, prepared: Any, response: Any, http_session: object) -> Route:  # noqa: ANN401
        if self._credentials is None:
            raise NotRepeatableError("the session has no credentials")
        if msgspec.json.decode(prepared.body) != msgspec.json.decode(self._call.body):
            raise NotRepeatableError("something else changes its parameters")
        config = self._client.meta.config
        limits = (config.connect_timeout, config.read_timeout, self._total_seconds)
        keys = self._credentials.get_frozen_credentials()
        return learn(prepared, response, http_session, keys, limits=limits)

    def _forget(self, way: tuple[Route, Pool]) -> None:
        """Learn anew: the account of the credentials, which may be in the address, is another."""
        with self._lock:
            if self._way is way:
                way[1].close()
                self._way = None
                self._attempts_left = LEARN_ATTEMPTS_MAX
