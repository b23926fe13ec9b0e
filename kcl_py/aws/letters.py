"""How are texts put into a queue or a bucket, looked at, and taken out again?

Clients are made when they are first needed, by whichever thread that is. They are thread-safe, but
making them is not.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kcl_py.aws.failures import error_code, public_error
from kcl_py.aws.tools import make_client, make_session
from kcl_py.errors import SetupError

if TYPE_CHECKING:
    import boto3.session

_AWS_QUEUE: Final = re.compile(r"sqs\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")

RECEIVE_MAX: Final = 10
"""Most messages in one answer. Source: ReceiveMessage, MaxNumberOfMessages."""

EMPTY_ANSWERS: Final = 2
"""So many empty answers in a row, each after a second of waiting, and the queue counts as empty."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was received and is hidden from others for a while."""

    message_id: str
    body: str
    receipt: str


class _Client:
    """One client, made once."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    def call(self, action: str, method: str, **request: Any) -> Any:  # noqa: ANN401 - an answer
        """Ask the service.

        Raises:
            KclError: What went wrong, without data.
        """
        try:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
            return getattr(self._made, method)(**request)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            raise _public(error, action) from None


class Queue:
    """A queue of SQS."""

    def __init__(self, url: str, session: boto3.session.Session | None) -> None:
        self.url = url
        self._client = _Client(lambda: _queue_client(url, session))

    @property
    def is_fifo(self) -> bool:
        """Messages need a group. Source: the name of such a queue ends in `.fifo`."""
        return self.url.endswith(".fifo")

    @property
    def shows_at_once(self) -> int | None:
        """So many are received before some must be deleted for others to come; None: all.

        Source: FIFO delivery logic in the guide of SQS: nothing of a group while some is hidden.
        """
        return RECEIVE_MAX if self.is_fifo else None

    def send(self, body: str, *, group: str, name: str) -> None:
        """Return once the queue has it.

        Args:
            body: The message.
            group: For a FIFO queue.
            name: The same for the same message, for a FIFO queue.
        """
        more = {"MessageGroupId": group, "MessageDeduplicationId": name} if self.is_fifo else {}
        self._call("SendMessage", "send_message", MessageBody=body, **more)

    def receive(self, *, hide_seconds: int) -> Iterator[Sequence[Message]]:
        """Go through all that is there, some at a time; they are hidden for so many seconds."""
        empty = 0
        while empty < EMPTY_ANSWERS:
            answer = self._call(
                "ReceiveMessage",
                "receive_message",
                MaxNumberOfMessages=RECEIVE_MAX,
                WaitTimeSeconds=1,
                VisibilityTimeout=hide_seconds,
            )
            found = answer.get("Messages", ())
            empty = 0 if found else empty + 1
            if found:
                yield [Message(m["MessageId"], m["Body"], m["ReceiptHandle"]) for m in found]

    def show_again(self, message: Message) -> None:
        """Let others see it now."""
        self._call(
            "ChangeMessageVisibility",
            "change_message_visibility",
            ReceiptHandle=message.receipt,
            VisibilityTimeout=0,
        )

    def delete(self, message: Message) -> None:
        """Take it out."""
        self._call("DeleteMessage", "delete_message", ReceiptHandle=message.receipt)

    def _call(self, operation: str, method: str, **request: Any) -> Any:  # noqa: ANN401 - an answer
        return self._client.call(f"sqs:{operation}", method, QueueUrl=self.url, **request)


class Bucket:
    """A part of a bucket of S3.

    Args:
        url: `s3://bucket` or `s3://bucket/prefix`.
    """

    def __init__(self, url: str, session: boto3.session.Session | None) -> None:
        name, _, prefix = url.removeprefix("s3://").partition("/")
        self.name = name
        self._prefix = prefix.strip("/")
        self._client = _Client(lambda: make_client("s3", session=session or make_session(None)))

    def url_of(self, key: str) -> str:
        """Return where an object is."""
        return f"s3://{self.name}/{key}"

    def key_of(self, parts: Sequence[str]) -> str:
        """Return the key of an object below the prefix."""
        return "/".join(part for part in (self._prefix, *parts) if part)

    def put(self, key: str, body: bytes) -> None:
        """Return once the bucket has it."""
        self._call("PutObject", "put_object", Key=key, Body=body, ContentType="application/json")

    def get(self, key: str) -> bytes:
        """Read an object."""
        answer = self._call("GetObject", "get_object", Key=key)
        try:
            body: bytes = answer["Body"].read()
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            raise _public(error, "s3:GetObject") from None
        return body

    def list_keys(self) -> Iterator[str]:
        """Go through the keys below the prefix, in their order."""
        more: dict[str, str] = {}
        prefix = f"{self._prefix}/" if self._prefix else ""
        while True:
            page = self._call("ListObjectsV2", "list_objects_v2", Prefix=prefix, **more)
            for one in page.get("Contents", ()):
                yield one["Key"]
            if not page.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """Take it out."""
        self._call("DeleteObject", "delete_object", Key=key)

    def _call(self, operation: str, method: str, **request: Any) -> Any:  # noqa: ANN401 - an answer
        return self._client.call(f"s3:{operation}", method, Bucket=self.name, **request)


def _queue_client(url: str, session: boto3.session.Session | None) -> Any:  # noqa: ANN401 - a client
    """A queue's URL says where it is, whatever the session is set to."""
    session = session or make_session(None)
    parts = urlsplit(url)
    found = _AWS_QUEUE.fullmatch(parts.hostname or "")
    if found is not None:
        return make_client("sqs", session=session, region=found["region"])
    return make_client("sqs", session=session, endpoint_url=f"{parts.scheme}://{parts.netloc}")


def _public(error: Exception, action: str) -> Exception:
    if error_code(error) in _MISSING:
        return SetupError(f"{action}: there is no such queue, bucket or object; check the URL")
    return public_error(error, action)


_MISSING: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "NoSuchBucket",
        "NoSuchKey",
    }
)
