"""How is one request to AWS signed? Signature Version 4 of a JSON document posted to "/".

Pure: time and credentials are handed in. Source: "AWS Signature Version 4" in the IAM user guide;
tests compare every signature with botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final, NamedTuple, Protocol

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_LAST: Final = "aws4_request"


class Keys(Protocol):
    """Credentials as botocore freezes them."""

    @property
    def access_key(self) -> str:
        """The id of the key."""

    @property
    def secret_key(self) -> str:
        """What signs, and is never sent."""

    @property
    def token(self) -> str | None:
        """Of a session; None: the key is somebody's own."""


class _DayKey(NamedTuple):
    """A signing key, and what it was derived from."""

    secret: str
    day: str
    key: bytes


class Signer:
    """Signs requests of one kind. Thread-safe.

    Args:
        host: As in the Host header: lower case, with the port unless it is the default one.
        region, service: Where a signature holds.
        content_type, target: Headers that are signed.
    """

    def __init__(
        self, *, host: str, region: str, service: str, content_type: str, target: str
    ) -> None:
        self._scope = f"{region}/{service}/{_LAST}"
        self._parts = (region, service, _LAST)
        self._top = f"POST\n/\n\ncontent-type:{content_type}\nhost:{host}\nx-amz-date:"
        self._target = f"\nx-amz-target:{target}\n\n"
        self._day_key = _DayKey("", "", b"")

    def headers(self, keys: Keys, body: bytes, now: float) -> str:
        """Return the headers that sign a body, each with its line end.

        Args:
            keys: Who signs.
            body: What is posted.
            now: Unix seconds.

        Raises:
            ValueError: Key or token could not stand in a header.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        signed = self.authorization(keys, body, moment)
        token = f"X-Amz-Security-Token: {keys.token}\r\n" if keys.token else ""
        return f"X-Amz-Date: {moment}\r\n{token}Authorization: {signed}\r\n"

    def authorization(self, keys: Keys, body: bytes, moment: str) -> str:
        """Return the Authorization header.

        Args:
            keys: Who signs.
            body: What is posted.
            moment: As in X-Amz-Date, `20261126T100000Z`.
        """
        _check(keys.access_key)
        between, names = "", "content-type;host;x-amz-date;x-amz-target"
        if keys.token:
            _check(keys.token)
            between = f"\nx-amz-security-token:{keys.token}"
            names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        digest = hashlib.sha256(body).hexdigest()
        request = f"{self._top}{moment}{between}{self._target}{names}\n{digest}"
        day = moment[:8]
        scope = f"{day}/{self._scope}"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashed}"
        signature = hmac.digest(self._key(keys.secret_key, day), text.encode(), "sha256").hex()
        return (
            f"{ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )

    def _key(self, secret: str, day: str) -> bytes:
        kept = self._day_key
        if kept.day == day and kept.secret == secret:
            return kept.key
        key = f"AWS4{secret}".encode()
        for part in (day, *self._parts):
            key = hmac.digest(key, part.encode(), "sha256")
        self._day_key = _DayKey(secret, day, key)
        return key


def _check(value: str) -> None:
    """Refuse what would end a header, or be signed otherwise than it is sent."""
    if not value.isascii() or not value.isprintable() or " " in value:
        # Not `from` anything and without the value: it is a secret.
        raise ValueError("credentials that cannot stand in a header")
