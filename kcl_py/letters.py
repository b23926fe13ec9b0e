"""What is a dead letter, and where may one go?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from kcl_py.records import Record

__all__ = [
    "DeadLetter",
    "DeadLetterSink",
    "LettersAddress",
    "LettersGoTo",
    "check_letters_go_to",
    "is_bucket_url",
    "is_queue_url",
    "parse_letters_url",
]

_BUCKET: Final = re.compile(r"//[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/.*)?")
_QUEUE: Final = re.compile(r"https?://[^/?#]+/[^/?#]+/[^/?#]+")

URL_FORMS: Final = "file:dead.jsonl, s3://bucket/prefix or sqs://host/account/queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersAddress:
    """Where a URL of dead letters leads.

    Attributes:
        place: A path; a bucket and a prefix as `s3://bucket/prefix`; the URL of a queue.
        large_to_s3: Where letters go that are too large for a queue, as `s3://bucket/prefix`.
    """

    kind: Literal["file", "s3", "sqs"]
    place: str
    large_to_s3: str | None = None


def parse_letters_url(url: str, *, name: str = "the URL") -> LettersAddress:
    """Read a URL of dead letters.

    `file:` and a path; `s3://bucket/prefix`; `sqs://host/account/queue`, which is https, or `sqs:`
    and the whole URL of a queue, either with `?large_to_s3=s3://bucket/prefix`.

    Args:
        url: The text.
        name: Of the setting or argument, for the message.

    Raises:
        ConfigError: It is none.
    """
    scheme, _, rest = url.partition(":")
    place, _, query = rest.partition("?")
    if scheme == "file" and rest:
        # file:///a/b and file:/a/b are one path; file:a/b is relative.
        path = rest.removeprefix("//") if rest.startswith("///") else rest
        if not path.startswith("//"):
            return LettersAddress(kind="file", place=path)
    if scheme == "s3" and _BUCKET.fullmatch(place) and not query:
        return LettersAddress(kind="s3", place=url)
    if scheme == "sqs":
        queue = place if place.startswith(("https://", "http://")) else f"https:{place}"
        option, _, large = query.partition("=")
        is_known = not query or (option == "large_to_s3" and is_bucket_url(large))
        if is_queue_url(queue) and is_known:
            return LettersAddress(kind="sqs", place=queue, large_to_s3=large or None)
    raise ConfigError(f"{name} = {url!r} leads to no dead letters; use {URL_FORMS}")


def is_queue_url(url: str) -> bool:
    """Say whether a text is the URL of a queue."""
    return _QUEUE.fullmatch(url) is not None


def is_bucket_url(url: str) -> bool:
    """Say whether a text is `s3://bucket` or `s3://bucket/prefix`."""
    return url.startswith("s3:") and _BUCKET.fullmatch(url.removeprefix("s3:")) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that was given up, whole, with where it came from and why.

    Attributes:
        record: With payload, keys, position and arrival.
        app_name: The application that gave it up.
        stream_arn: Where the record is, with `shard_id`.
        shard_id: As Kinesis names it.
        attempts: How often it failed: named by RecordFailed, or alone in its batch.
        error_type: Of the last failure.
        error_message: Of the last failure; it is the processor's own and may quote the record.
        failed_at: When it was given up; aware, UTC.
    """

    record: Record
    app_name: str
    stream_arn: str
    shard_id: str
    attempts: int
    error_type: str
    error_message: str = field(repr=False)
    failed_at: datetime


class DeadLetterSink(Protocol):
    """Where records go that are given up."""

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Return only when durable.

        Called in the thread of the shard. Raising keeps the shard where it is. The same letter may
        come twice: after a crash, and from a new owner.
        """


LettersGoTo: TypeAlias = DeadLetterSink | Callable[[Sequence[DeadLetter]], None] | str
"""A sink, a function, or the URL of a sink."""


def check_letters_go_to(then: str, letters: LettersGoTo | None) -> None:
    """Refuse what is no sink, and a policy that needs one and has none.

    Raises:
        ConfigError: It says what would be right.
    """
    name = "on_error.dead_letters"
    if letters is None:
        if then == "dead_letter":
            raise ConfigError(
                f"{name} = None, but on_error.then = 'dead_letter' needs one; give a sink, a "
                f"function of letters, or a URL as {URL_FORMS}"
            )
        return
    if isinstance(letters, str):
        parse_letters_url(letters, name=name)
        return
    write = getattr(letters, "write", letters)
    if not callable(write) or isinstance(letters, type):
        raise ConfigError(
            f"{name} = {letters!r} is no sink; give an object with write(letters), a function of "
            "letters, or a URL"
        )
    if iscoroutinefunction(write):
        raise ConfigError(
            f"{name} = {letters!r} is `async def`, and a letter must be durable when the call "
            "returns; give a plain function"
        )
