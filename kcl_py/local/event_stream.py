"""How is an event written for the wire, as `application/vnd.amazon.eventstream`?

A message is: its length and that of its headers, four bytes each, a checksum of those eight; the
headers; the payload; a checksum of everything before it. All checksums are CRC-32.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from kcl_py.local.kinesis.subscriptions import Event
from kcl_py.local.wire import encode_answer

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = struct.Struct("!II")
_CHECKSUM = struct.Struct("!I")
_TEXT = 7
_HEADER = struct.Struct("!BH")
_AROUND_BYTES = _PRELUDE.size + 2 * _CHECKSUM.size


def initial_response() -> bytes:
    """The message that clients want first."""
    headers = {":event-type": "initial-response", ":content-type": "application/x-amz-json-1.1"}
    return encode_message(headers | {":message-type": "event"}, b"{}")


def encode_event(event: Event) -> bytes:
    """One event, or the error that ends the stream."""
    kind = "exception" if event.is_error else "event"
    headers = {
        f":{kind}-type": event.name,
        ":content-type": "application/json",
        ":message-type": kind,
    }
    return encode_message(headers, encode_answer(event.body))


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message; header values are text."""
    head = b"".join(_encode_header(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(len(head) + len(payload) + _AROUND_BYTES, len(head))
    body = b"".join((prelude, _CHECKSUM.pack(zlib.crc32(prelude)), head, payload))
    return body + _CHECKSUM.pack(zlib.crc32(body))


def chunk(content: bytes) -> bytes:
    """A piece of an HTTP body whose length is not known beforehand; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def _encode_header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes((len(key),)) + key + _HEADER.pack(_TEXT, len(text)) + text
