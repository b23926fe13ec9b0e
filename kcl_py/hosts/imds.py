"""What does EC2 say of this machine? Its metadata service, version 2: with a token."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kcl_py.hosts.http import Answer, ask
from kcl_py.hosts.notices import PARSERS, NoAnswer, Notice, NoticeKind

TOKEN_SECONDS: Final = 21_600
"""Source: EC2, "Use the Instance Metadata Service": the longest life of a token."""

_TOKEN_MARGIN_SECONDS: Final = 60.0
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404

INSTANCE_ID_PATH: Final = "instance-id"
REGION_PATH: Final = "placement/region"
GROUP_PATH: Final = "tags/instance/aws:autoscaling:groupName"
"""Answers only where the launch template has InstanceMetadataTags enabled."""

NOTICE_PATHS: Final[dict[NoticeKind, str]] = {
    "spot": "spot/instance-action",
    "lifecycle": "autoscaling/target-lifecycle-state",
    "rebalance": "events/recommendations/rebalance",
}


class Imds:
    """Reads metadata; keeps a token as long as it lasts. Thread-safe.

    Args:
        endpoint: As http://169.254.169.254.
        asking: Sends a request.
        now: Seconds on a clock that never jumps.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        asking: Callable[..., Answer] = ask,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._ask = asking
        self._now = now
        self._renewing = threading.Lock()
        self._held: tuple[str, float] | None = None

    def get(self, path: str) -> str | None:
        """Read what is below /latest/meta-data/; None: there is no such thing (404).

        Raises:
            NoAnswer: Nobody answers, or not with this.
        """
        answer = self._get(path)
        if answer.status == _UNAUTHORIZED:
            # The token has expired early, as after the restore of a machine: once more.
            self._held = None
            answer = self._get(path)
        if answer.status == _OK:
            return answer.body
        if answer.status == _NOT_FOUND:
            return None
        raise NoAnswer(f"the metadata service answers {path} with {answer.status}")

    def _get(self, path: str) -> Answer:
        headers = {"X-aws-ec2-metadata-token": self._valid_token()}
        return self._ask(f"{self._endpoint}/latest/meta-data/{path}", headers=headers)

    def _valid_token(self) -> str:
        # Several sources ask at once: one of them gets the token for all.
        with self._renewing:
            now, held = self._now(), self._held
            if held is None or now >= held[1]:
                held = (self._new_token(), now + TOKEN_SECONDS - _TOKEN_MARGIN_SECONDS)
                self._held = held
            return held[0]

    def _new_token(self) -> str:
        answer = self._ask(
            f"{self._endpoint}/latest/api/token",
            method="PUT",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)},
        )
        if answer.status == _FORBIDDEN:
            raise NoAnswer("the metadata service is switched off for this instance (403)")
        token = answer.body.strip()
        # It becomes a header: nothing that could end one may be in it.
        if answer.status != _OK or not token.isascii() or not token.isprintable() or not token:
            raise NoAnswer(f"the metadata service gives no token (status {answer.status})")
        return token


@dataclass(frozen=True, slots=True)
class ImdsNotices:
    """One kind of notice of EC2."""

    kind: NoticeKind
    imds: Imds

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def ask(self) -> Notice | None:
        """Ask once; no such metadata is no notice."""
        text = self.imds.get(NOTICE_PATHS[self.kind])
        return None if text is None else PARSERS[self.kind](text)
