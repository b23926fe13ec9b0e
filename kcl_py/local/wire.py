"""How are requests and answers written as JSON, and where do bytes hide in them?"""

from __future__ import annotations

import binascii
from typing import Any

import msgspec

from kcl_py.local.errors import AwsError

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_SLICE = 1_000


def decode_request(service: str, operation: str, body: bytes) -> dict[str, Any]:
    """The request as the models take it, with bytes for what the wire writes as base64."""
    try:
        request = _decoder.decode(body) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AwsError("SerializationException", f"the request is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise AwsError("SerializationException", "the request must be a JSON object")
    if service == "kinesis":
        _decode_records(operation, request)
    elif b'"B' in body:
        decode_values(request)
    return request


def encode_answer(answer: dict[str, Any]) -> bytes:
    """The body of an answer; bytes become base64."""
    return _encoder.encode(answer)


def encode_in_slices(answer: dict[str, Any]) -> list[list[Any]]:
    """A long list of records as slices, each quickly encoded by `encode_slice`."""
    records = answer["Records"]
    return [records[at : at + _SLICE] for at in range(0, len(records), _SLICE)]


def encode_slice(records: list[Any]) -> bytes:
    """The records of a slice without the brackets of their list."""
    return _encoder.encode(records)[1:-1]


def join_slices(answer: dict[str, Any], slices: list[bytes]) -> bytes:
    """The whole body from its encoded slices."""
    rest = _encoder.encode({name: value for name, value in answer.items() if name != "Records"})
    return b"".join((b'{"Records":[', b",".join(slices), b"],", rest[1:]))


def is_long(answer: dict[str, Any]) -> bool:
    """Whether encoding the answer at once would hold up everybody else."""
    records = answer.get("Records")
    return isinstance(records, list) and len(records) > _SLICE and len(answer) > 1


def _bytes(text: Any) -> bytes:  # noqa: ANN401
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise AwsError("SerializationException", f"not base64: {error}") from error


def _decode_records(operation: str, request: dict[str, Any]) -> None:
    if operation == "PutRecord" and "Data" in request:
        request["Data"] = _bytes(request["Data"])
    elif operation == "PutRecords":
        for record in request.get("Records") or ():
            if not isinstance(record, dict):
                raise AwsError("SerializationException", "a record must be a JSON object")
            record["Data"] = _bytes(record.get("Data"))


def decode_values(node: Any) -> None:  # noqa: ANN401
    """Attribute values of the types B and BS, wherever they are."""
    if isinstance(node, list):
        for element in node:
            decode_values(element)
    elif isinstance(node, dict):
        if len(node) == 1 and isinstance(node.get("B"), str):
            node["B"] = _bytes(node["B"])
        elif len(node) == 1 and _is_texts(node.get("BS")):
            node["BS"] = [_bytes(text) for text in node["BS"]]
        else:
            for part in node.values():
                decode_values(part)


def _is_texts(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, list) and all(isinstance(part, str) for part in value)
