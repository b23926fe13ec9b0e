"""What is known of a consumer that is registered for enhanced fan-out?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis.limits import READ_BYTES_PER_SECOND, Bucket


class Seat(NamedTuple):
    """The latest subscription of a consumer to a shard, whether it still lasts or not."""

    taken_at: float
    leave: Callable[[AwsError], None]


class Consumer:
    """A registered consumer. Registering and deregistering take a while."""

    def __init__(self, stream_arn: str, name: str, *, stamp: int, made_at: float) -> None:
        self.stream_arn = stream_arn
        self.name = name
        self.stamp = stamp
        self.made_at = made_at
        self.arn = f"{stream_arn}/consumer/{name}:{stamp}"
        self.status = "CREATING"
        self.tags: dict[str, str] = {}
        self.seats: dict[str, Seat] = {}
        self._buckets: dict[str, Bucket] = {}
        self._due = made_at

    def begin(self, status: str, done_at: float) -> None:
        """Be CREATING or DELETING until then."""
        self.status, self._due = status, done_at
        if status == "DELETING":
            self.send_away(AwsError("ResourceNotFoundException", f"{self.arn} was deregistered"))

    def settle(self, now: float) -> bool:
        """Catch up with the clock; False once it is gone."""
        if now < self._due:
            return True
        if self.status == "CREATING":
            self.status = "ACTIVE"
        return self.status != "DELETING"

    def send_away(self, why: AwsError) -> None:
        """End all subscriptions."""
        for seat in self.seats.values():
            seat.leave(why)

    def budget(self, shard_id: str) -> Bucket:
        """What may be sent of a shard: the rate is this consumer's own."""
        return self._buckets.setdefault(shard_id, Bucket(READ_BYTES_PER_SECOND))

    def describe(self) -> dict[str, Any]:
        """As RegisterStreamConsumer and ListStreamConsumers show it."""
        return {
            "ConsumerName": self.name,
            "ConsumerARN": self.arn,
            "ConsumerStatus": self.status,
            "ConsumerCreationTimestamp": self.made_at,
        }

    def dump(self) -> dict[str, Any]:
        """As plain data; subscriptions are not kept."""
        return {
            "name": self.name,
            "stamp": self.stamp,
            "made_at": self.made_at,
            "tags": self.tags,
        }

    @classmethod
    def load(cls, stream_arn: str, saved: dict[str, Any]) -> Consumer:
        """From what `dump` returned; it is ACTIVE."""
        consumer = cls(stream_arn, saved["name"], stamp=saved["stamp"], made_at=saved["made_at"])
        consumer.tags = dict(saved["tags"])
        consumer.status = "ACTIVE"
        return consumer
