"""How does the service hand its own state to a client and know it again?

Iterators and list tokens are opaque to clients. The tag only tells a token of ours from a text
that was cut or invented; nothing here is secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import msgspec

_TAG_BYTES = 8


def _tag(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_TAG_BYTES).digest()


def seal(kind: str, fields: list[Any]) -> str:
    """Make a token."""
    body = msgspec.json.encode([kind, *fields])
    return base64.b64encode(_tag(body) + body).decode("ascii")


def unseal(kind: str, token: str) -> list[Any] | None:
    """The token's fields, or None when it is not one of this kind."""
    try:
        raw = base64.b64decode(token.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    body = raw[_TAG_BYTES:]
    if raw[:_TAG_BYTES] != _tag(body):
        return None
    fields: list[Any] = msgspec.json.decode(body)
    return fields[1:] if fields[0] == kind else None
