"""As much of S3 as a test of conditional writes needs, in memory."""

from __future__ import annotations

import hashlib

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

OBJECTS_MAX = 10_000


class FakeS3:
    """As much of an S3 client as the sink uses; what it is asked must be valid for boto3.

    Source: "Conditional writes" in the Amazon S3 User Guide.
    """

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str], str]] = {}
        self.lose_answers_to: list[str] = []
        self._model = botocore.session.Session().get_service_model("s3")

    def put_object(self, **request: object) -> dict[str, object]:
        self._check("PutObject", request)
        key, body = request["Key"], request["Body"]
        there = self.objects.get(key)
        if request.get("IfNoneMatch") == "*" and there is not None:
            raise self._error("PutObject", "PreconditionFailed", 412)
        if "IfMatch" in request and there is None:
            raise self._error("PutObject", "NoSuchKey", 404)
        if "IfMatch" in request and there is not None and there[2] != request["IfMatch"]:
            raise self._error("PutObject", "PreconditionFailed", 412)
        assert len(self.objects) < OBJECTS_MAX
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        self.objects[key] = (body, dict(request.get("Metadata", {})), etag)
        if self.lose_answers_to and self.lose_answers_to[0] in key:
            self.lose_answers_to.pop(0)
            return self.put_object(**request)  # boto3 tries again by itself
        return {"ETag": etag}

    def head_object(self, **request: object) -> dict[str, object]:
        self._check("HeadObject", request)
        if request["Key"] not in self.objects:
            raise self._error("HeadObject", "404", 404)
        _, metadata, etag = self.objects[request["Key"]]
        return {"Metadata": metadata, "ETag": etag}

    def list_objects_v2(self, **request: object) -> dict[str, object]:
        self._check("ListObjectsV2", request)
        keys = sorted(key for key in self.objects if key.startswith(request["Prefix"]))
        shown = keys[: request["MaxKeys"]]
        if not shown:
            return {"KeyCount": 0}
        return {"KeyCount": len(shown), "Contents": [{"Key": key} for key in shown]}

    def _check(self, operation: str, request: dict[str, object]) -> None:
        shape = self._model.operation_model(operation).input_shape
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()

    def _error(self, operation: str, code: str, status: int) -> ClientError:
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return ClientError(answer, operation)
