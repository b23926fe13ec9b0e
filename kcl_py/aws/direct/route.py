"""May a call go direct, and how? Learned from a request that botocore made and AWS answered.

botocore stays the authority for endpoints, regions, names and trust. Only what we would have signed
and spelled in the very same way is taken over; any doubt leaves the call where it is.
"""

from __future__ import annotations

import re
import ssl
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path
from urllib3.response import HTTPResponse

from kcl_py.aws.direct.connection import Place
from kcl_py.aws.direct.signing import ALGORITHM, Keys, Signer

_CREDENTIAL: Final = re.compile(
    re.escape(ALGORITHM) + r" Credential=[^/]+/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, .*"
)
_NEEDED: Final = frozenset({"x-amz-target", "content-type", "user-agent", "x-amz-date"})
_KEPT: Final = ("X-Amz-Target", "Content-Type", "User-Agent", "amz-sdk-request")
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-length",
        "x-amz-security-token",
    }
)
_PORTS: Final = {"http": 80, "https": 443}


class NotRepeatableError(Exception):
    """A request that we could not make in the same way; the message says why."""


@dataclass(frozen=True, slots=True)
class Route:
    """How requests of one operation are made.

    Attributes:
        place: Where they go.
        signer: How they are signed.
        top: Request line and the headers that are the same every time.
        account_id: Of the credentials that the address was made for; it may be in the address.
        calls, count: Name each call: random once, then counted, since randomness is a system call.
    """

    place: Place
    signer: Signer
    top: str
    account_id: str | None
    calls: str = field(default_factory=lambda: str(uuid.uuid4())[:24])
    count: Iterator[int] = field(default_factory=count)

    def spell(self, keys: Keys, body: bytes, now: float) -> bytes:
        """Return a whole signed request.

        Args:
            keys: Who signs.
            body: A JSON document.
            now: Unix seconds.
        """
        signed = self.signer.headers(keys, body, now)
        head = (
            f"{self.top}amz-sdk-invocation-id: {self.calls}{next(self.count):012x}\r\n"
            f"Content-Length: {len(body)}\r\n{signed}\r\n"
        )
        return head.encode("ascii") + body


def learn(
    prepared: Any,  # noqa: ANN401 - an AWSPreparedRequest
    response: Any,  # noqa: ANN401 - an AWSResponse
    http_session: object,
    keys: Keys,
    *,
    limits: tuple[float, float, float | None],
) -> Route:
    """Learn from a request and who answered it.

    Args:
        prepared: As the event `before-send` shows it.
        response: Its answer, of status 200.
        http_session: What sent it.
        keys: What we would sign with.
        limits: Seconds for connecting, of silence, and for a whole call or None.

    Raises:
        NotRepeatableError: It is not as we would have made it.
    """
    if not isinstance(response.raw, HTTPResponse):
        raise NotRepeatableError("something else than the network answers")
    url, headers = str(prepared.url), _texts(prepared.headers)
    host_header, host, port = _address(prepared.method, url)
    if not headers.keys() >= _NEEDED or headers.keys() - _NEEDED - _OURS:
        raise NotRepeatableError("it has other headers than we know")
    if not headers["content-type"].startswith("application/x-amz-json-1."):
        raise NotRepeatableError("it is no JSON")
    signer = _signer(host_header, headers)
    if signer.authorization(keys, prepared.body, headers["x-amz-date"]) != headers["authorization"]:
        raise NotRepeatableError("it is signed otherwise")
    connect, silence, total = limits
    place = Place(
        url=f"{urlsplit(url).scheme}://{host_header}",
        host=host,
        port=port,
        tls=_trust(url, http_session),
        connect_seconds=connect,
        read_seconds=silence,
        total_seconds=total,
    )
    kept = {name: headers[name.lower()] for name in _KEPT if name.lower() in headers}
    lines = {"Host": host_header, "Accept-Encoding": "identity", **kept}
    top = "POST / HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return Route(place, signer, top, getattr(keys, "account_id", None))


def _texts(headers: Mapping[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if name.lower() in texts or not text.isascii() or not text.isprintable():
            raise NotRepeatableError("a header of its is not plain")
        texts[name.lower()] = text
    return texts


def _address(method: str, url: str) -> tuple[str, str, int]:
    """Return the Host header, the host and the port."""
    parts = urlsplit(url)
    host = parts.hostname
    if method != "POST" or parts.path not in ("", "/") or parts.query or parts.username or not host:
        raise NotRepeatableError("it goes to another path")
    if parts.scheme not in _PORTS:
        raise NotRepeatableError("it goes by another protocol")
    port = parts.port or _PORTS[parts.scheme]
    named = f"[{host}]" if ":" in host else host
    return named if port == _PORTS[parts.scheme] else f"{named}:{port}", host, port


def _signer(host_header: str, headers: Mapping[str, str]) -> Signer:
    scope = _CREDENTIAL.fullmatch(headers.get("authorization", ""))
    if scope is None:
        raise NotRepeatableError("it is signed by another algorithm")
    return Signer(
        host=host_header,
        region=scope[1],
        service=scope[2],
        content_type=headers["content-type"],
        target=headers["x-amz-target"],
    )


def _trust(url: str, http_session: object) -> ssl.SSLContext | None:
    """Return whom to trust, as botocore does; None for plain HTTP.

    No public name tells which certificates a client was told to trust, or which proxy to use: it
    may come from an argument, a profile or the environment. Where botocore keeps it, or nowhere:
    if it is not there one day, calls stay on botocore.
    """
    if type(http_session) is not URLLib3Session:
        raise NotRepeatableError("it is sent by somebody else's transport")
    try:
        verify: Any = http_session._verify  # type: ignore[attr-defined]  # noqa: SLF001
        certificate = http_session._cert_file  # type: ignore[attr-defined]  # noqa: SLF001
        proxy = http_session._proxy_config.proxy_url_for(url)  # type: ignore[attr-defined]  # noqa: SLF001
    except AttributeError:
        raise NotRepeatableError("this botocore does not tell whom it trusts") from None
    if proxy or certificate:
        raise NotRepeatableError("it goes through a proxy, or shows a certificate")
    if not url.startswith("https:"):
        return None
    context: ssl.SSLContext = create_urllib3_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if verify:
        context.check_hostname = True
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cafile=get_cert_path(verify))
    else:
        context.verify_mode = ssl.CERT_NONE
    return context
