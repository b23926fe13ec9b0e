"""As much of SQS and S3 as dead letters need; what they are asked must be valid for boto3.

Source: the API references of SendMessage, ReceiveMessage, PutObject and the others.
"""

from __future__ import annotations

import io
import itertools
from typing import Any

import botocore.session
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.validate import ParamValidator

BODY_BYTES_MAX = 1024 * 1024


class FakeService:
    """Checks each request against the service's own model.

    Attributes:
        failures: So many calls from now on fail, before they do anything.
        lose_answers: So many calls from now on do their work and fail all the same.
    """

    service = ""

    def __init__(self) -> None:
        self.failures = 0
        self.lose_answers = 0
        self.asked: list[str] = []
        self._model = botocore.session.Session().get_service_model(self.service)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        operation = "".join(part.capitalize() for part in name.split("_"))
        return lambda **request: self._perform(operation, request)

    def _perform(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        shape = self._model.operation_model(operation).input_shape
        assert shape is not None
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()
        self.asked.append(operation)
        if self.failures:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        answer: dict[str, Any] = getattr(self, f"_{operation}")(request)
        if self.lose_answers:
            self.lose_answers -= 1
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return answer

    def _refuse(self, operation: str, code: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": code}}, operation)


class FakeSqs(FakeService):
    """One queue; what was received is hidden until it is shown again."""

    service = "sqs"

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.groups: list[tuple[str, str]] = []
        self.hides = True
        self.names: list[str] = []
        self._ids = itertools.count(1)

    def _SendMessage(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - an operation
        if len(request["MessageBody"].encode()) > BODY_BYTES_MAX:
            raise self._refuse("SendMessage", "InvalidParameterValue")
        if "MessageGroupId" in request:
            self.groups.append((request["MessageGroupId"], request["MessageDeduplicationId"]))
        name = f"m{next(self._ids)}"
        self.messages[name] = request["MessageBody"]
        self.names.append(name)
        return {"MessageId": name}

    def _ReceiveMessage(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        shown = [name for name in self.messages if name not in self.hidden]
        return self._receive(shown[: min(3, request["MaxNumberOfMessages"])])

    def _receive(self, found: list[str]) -> dict[str, Any]:
        self.hidden.update(found if self.hides else ())
        if not found:
            return {}
        return {
            "Messages": [
                {"MessageId": name, "Body": self.messages[name], "ReceiptHandle": f"r-{name}"}
                for name in found
            ]
        }

    def _ChangeMessageVisibility(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert request["VisibilityTimeout"] == 0
        self.hidden.discard(request["ReceiptHandle"].removeprefix("r-"))
        return {}

    def _DeleteMessage(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.messages.pop(request["ReceiptHandle"].removeprefix("r-"), None)
        return {}


class FakeFifo(FakeSqs):
    """A FIFO queue: nothing of a group is shown while some of it is hidden.

    Source: FIFO delivery logic in the guide of SQS.
    """

    def _ReceiveMessage(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        group_of = dict(zip(self.names, (group for group, _ in self.groups), strict=True))
        busy = {group_of[name] for name in self.hidden & self.messages.keys()}
        free = [name for name in self.messages if group_of[name] not in busy]
        ours = [name for name in free if group_of[name] == group_of[free[0]]]
        return self._receive(ours[: request["MaxNumberOfMessages"]])


class FakeS3(FakeService):
    """One bucket, with pages of two keys."""

    service = "s3"

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}

    def _PutObject(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.objects[request["Key"]] = request["Body"]
        return {}

    def _GetObject(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if request["Key"] not in self.objects:
            raise self._refuse("GetObject", "NoSuchKey")
        return {"Body": io.BytesIO(self.objects[request["Key"]])}

    def _ListObjectsV2(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        behind = request.get("ContinuationToken", "")
        keys = sorted(k for k in self.objects if k.startswith(request["Prefix"]) and k > behind)
        page: dict[str, Any] = {"Contents": [{"Key": key} for key in keys[:2]]}
        if len(keys) > 2:
            page["NextContinuationToken"] = keys[1]
        return page

    def _DeleteObject(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.objects.pop(request["Key"], None)
        return {}


class FakeSession:
    """A session of which clients are asked; each service is one and the same.

    Attributes:
        made: With what clients were asked for.
    """

    def __init__(self) -> None:
        self.sqs = FakeSqs()
        self.s3 = FakeS3()
        self.made: list[tuple[str, dict[str, Any]]] = []

    def get_credentials(self) -> object:
        return object()

    def client(self, service: str, **where: Any) -> Any:
        self.made.append((service, where))
        return {"sqs": self.sqs, "s3": self.s3}[service]
