"""Which dead letters are there, and how is one taken out? Files, queues and buckets alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from kcl_py.dead_letters.codec import BadLetter, decode_letter, decode_line, letter_id
from kcl_py.dead_letters.file_store import FileStore
from kcl_py.dead_letters.s3 import open_bucket
from kcl_py.dead_letters.sqs import open_queue
from kcl_py.dead_letters.stored import Stored
from kcl_py.errors import KclError
from kcl_py.letters import is_bucket_url, parse_letters_url

if TYPE_CHECKING:
    import boto3.session

    from kcl_py.aws.letters import Bucket, Message, Queue
    from kcl_py.letters import DeadLetter

NOTHING_NEW_MAX: Final = 3
"""Answers in a row; a single one may hold a message that a queue gives out twice by mistake."""

HIDE_SECONDS: Final = 300
"""How long a message that is looked at is hidden from others; a command may take as long."""

TROUBLES_MAX: Final = 3
"""Messages that cannot be shown again, after which no other is tried: each may take its time."""


class Store(Protocol):
    """Where dead letters are."""

    @property
    def shows_at_once(self) -> int | None:
        """So many are read before some must be taken out for others to be shown; None: all."""

    def claim(self) -> None:
        """Let nobody else deliver them meanwhile, where the place can keep others away."""

    def read(self) -> Iterator[Stored]:
        """Go through all that are there; what is no letter is among them, with its problem."""

    def take_out(self, stored: Stored) -> None:
        """It was delivered: it is not read again."""

    def close(self) -> None:
        """Let go of what was read and not taken out."""


class BucketStore:
    """Letters in S3, one object each."""

    shows_at_once = None

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def claim(self) -> None:
        """A bucket keeps nobody away: two redrives of one place both put each letter."""

    def read(self) -> Iterator[Stored]:
        """Read objects in the order of their keys: by shard, then by sequence number."""
        for key in self._bucket.list_keys():
            if key.endswith(".json"):
                yield self._stored(key)

    def _stored(self, key: str) -> Stored:
        try:
            letter = decode_line(self._bucket.get(key))
        except BadLetter as bad:
            return Stored(name=key, problem=str(bad), handle=key)
        return Stored(name=letter_id(letter), letter=letter, handle=key)

    def take_out(self, stored: Stored) -> None:
        """Delete the object."""
        self._bucket.delete(str(stored.handle))

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class _Handle:
    message: Message
    data_in: str | None


class QueueStore:
    """Letters in SQS. What is looked at is hidden from others meanwhile, and counts as received.

    Args:
        session: For letters whose data is in S3.
    """

    def __init__(self, queue: Queue, session: boto3.session.Session | None) -> None:
        self._queue = queue
        self._session = session
        self._held: dict[str, Message] = {}
        self._looked_at: set[str] = set()

    @property
    def shows_at_once(self) -> int | None:
        """As the queue says."""
        return self._queue.shows_at_once

    def claim(self) -> None:
        """What one received is hidden from the other."""

    def read(self) -> Iterator[Stored]:
        """Receive until nothing comes any more that was not received before."""
        nothing_new = 0
        for messages in self._queue.receive(hide_seconds=HIDE_SECONDS):
            new = [message for message in messages if message.message_id not in self._looked_at]
            nothing_new = 0 if new else nothing_new + 1
            if nothing_new >= NOTHING_NEW_MAX:
                return  # it took so long that the first ones are shown again: all were seen
            for message in messages:
                self._looked_at.add(message.message_id)
                # Without its body: they may be many, and large.
                self._held[message.message_id] = replace(message, body="")
            for message in new:
                yield self._stored(message)

    def _stored(self, message: Message) -> Stored:
        name, where = message.message_id, None
        try:
            found = json.loads(message.body)
            where = found.get("data_in") if isinstance(found, dict) else None
            letter = self._fetched(where) if isinstance(where, str) else decode_letter(found)
        except (BadLetter, KclError, ValueError, AttributeError, RecursionError) as bad:
            problem = str(bad) if isinstance(bad, BadLetter | KclError) else "it is no JSON object"
            return Stored(name=name, problem=problem, handle=_Handle(message, None))
        return Stored(name=letter_id(letter), letter=letter, handle=_Handle(message, where))

    def _fetched(self, where: str) -> DeadLetter:
        if not is_bucket_url(where):
            raise BadLetter("its data_in is no place in S3")
        bucket, key = self._place(where)
        return decode_line(bucket.get(key))

    def _place(self, where: str) -> tuple[Bucket, str]:
        name, _, key = where.removeprefix("s3://").partition("/")
        return open_bucket(f"s3://{name}", self._session), key

    def take_out(self, stored: Stored) -> None:
        """Delete the message, then the object that it points to: nobody looks for it alone."""
        assert isinstance(stored.handle, _Handle)
        self._queue.delete(stored.handle.message)
        self._held.pop(stored.handle.message.message_id, None)
        if stored.handle.data_in is not None:
            bucket, key = self._place(stored.handle.data_in)
            bucket.delete(key)

    def close(self) -> None:
        """Let others see what was looked at.

        Raises:
            KclError: Some stay hidden until their time is over.
        """
        held, self._held = self._held, {}
        troubles: list[KclError] = []
        for message in held.values():
            try:
                self._queue.show_again(message)
            except KclError as error:  # perhaps of this message alone
                troubles.append(error)
            if len(troubles) >= TROUBLES_MAX:
                break
        if troubles:
            raise troubles[0]


def open_store(source: str, session: boto3.session.Session | None) -> Store:
    """Return what keeps letters: of a URL as in the policy, of a queue's URL, or of a path.

    Raises:
        ConfigError: It is none, or a file that cannot be read.
    """
    if source.startswith(("https://", "http://")):
        source = f"sqs:{source}"
    if not source.startswith(("s3:", "sqs:", "file:")):
        return FileStore(source)
    address = parse_letters_url(source)
    match address.kind:
        case "file":
            return FileStore(address.place)
        case "s3":
            return BucketStore(open_bucket(address.place, session))
        case "sqs":
            return QueueStore(open_queue(address.place, session), session)
