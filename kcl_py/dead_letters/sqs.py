"""How are dead letters put into a queue of SQS? As messages; what is too large goes to S3.

A message whose letter is in S3 holds all but its data, and `data_in`: where the whole letter is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kcl_py.dead_letters.codec import encode_letter, letter_id, letter_line
from kcl_py.dead_letters.s3 import key_of, open_bucket
from kcl_py.errors import ConfigError, SetupError
from kcl_py.letters import is_queue_url

if TYPE_CHECKING:
    import boto3.session

    from kcl_py.aws.letters import Queue
    from kcl_py.letters import DeadLetter

LARGE_BYTES: Final = 256 * 1024
"""What is larger goes to S3 if it may. Source: the limit of a message until 2025, which queues made
before then, and those of some regions, still have as their MaximumMessageSize."""

MESSAGE_BYTES_MAX: Final = 1024 * 1024
"""Source: SendMessage, MessageBody: at most 1 MiB."""


class SqsDeadLetters:
    """Sends a message for each letter; to a FIFO queue with the shard as its group.

    Needs `sqs:SendMessage`, and `s3:PutObject` where large letters go to S3; and
    `sqs:ReceiveMessage`, `sqs:ChangeMessageVisibility`, `sqs:DeleteMessage` to redrive. A queue
    forgets messages after its retention, 4 days unless it was set longer.
    """

    def __init__(
        self,
        queue_url: str,
        *,
        large_to_s3: str | None = None,
        session: boto3.session.Session | None = None,
    ) -> None:
        """Connect nothing.

        Args:
            queue_url: Of the queue; it also says the region.
            large_to_s3: Where letters above 256 KiB go, as `s3://bucket/prefix`. None: those above
                1 MiB cannot be written, and their shard waits.
            session: Clients are made from it; None: the default chain of boto3.

        Raises:
            ConfigError: One of the URLs is none.
        """
        if not is_queue_url(queue_url):
            raise ConfigError(
                f"{queue_url!r} is no URL of a queue; use https://sqs.REGION.amazonaws.com/ACCOUNT/"
                "QUEUE"
            )
        self._queue = open_queue(queue_url, session)
        self._large = None if large_to_s3 is None else open_bucket(large_to_s3, session)

    def __repr__(self) -> str:
        return f"SqsDeadLetters({self._queue.url!r})"

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the queue has them.

        Raises:
            KclError: It may not have them all.
        """
        for letter in letters:
            self._queue.send(self._body(letter), group=letter.shard_id, name=letter_id(letter))

    def _body(self, letter: DeadLetter) -> str:
        whole = letter_line(letter)
        if self._large is not None and len(whole) > LARGE_BYTES:
            # Each message has an object of its own, for it is deleted with the message.
            key = key_of(self._large, letter, f"-{letter.failed_at:%Y%m%dT%H%M%S.%fZ}")
            self._large.put(key, whole)
            facts = {**encode_letter(letter), "data_in": self._large.url_of(key)}
            del facts["data"]
            return json.dumps(facts, separators=(",", ":"))
        if len(whole) > MESSAGE_BYTES_MAX:
            raise SetupError(
                f"a dead letter of {len(whole)} bytes is too large for SQS, which takes "
                f"{MESSAGE_BYTES_MAX}; set large_to_s3 to a place in S3"
            )
        return whole.decode()


def open_queue(url: str, session: boto3.session.Session | None) -> Queue:
    """Return a queue."""
    from kcl_py.aws.letters import Queue  # noqa: PLC0415 - boto3, only where there is a queue

    return Queue(url, session)
