"""How much may still be done this second?"""

from __future__ import annotations

from collections.abc import Mapping

from kcl_py.local.errors import AwsError

# Source of all numbers: "Quotas and limits" of the Kinesis Data Streams developer guide.
WRITE_BYTES_PER_SECOND = 1_048_576
WRITE_RECORDS_PER_SECOND = 1_000
READ_BYTES_PER_SECOND = 2_097_152
READ_CALLS_PER_SECOND = 5
ITERATOR_CALLS_PER_SECOND = 5
RECORD_KIB = (1_024, 10_240)
"""What a stream can be set to take: the default, and the most."""
KEY_CHARACTERS_MAX = 256
PUT_RECORDS_MAX = 500
PUT_BYTES_MAX = 10 * 1_048_576
GET_RECORDS_MAX = 10_000
GET_BYTES_MAX = 10 * 1_048_576
CALLS_PER_SECOND = {
    "CreateStream": 5,
    "DeleteStream": 5,
    "DescribeAccountSettings": 5,
    "DescribeLimits": 1,
    "DescribeStream": 10,
    "DescribeStreamSummary": 20,
    "DecreaseStreamRetentionPeriod": 5,
    "IncreaseStreamRetentionPeriod": 5,
    "ListStreams": 5,
    "MergeShards": 5,
    "SplitShard": 5,
    "RegisterStreamConsumer": 5,
    "UpdateShardCount": 10,
    "AddTagsToStream": 5,
    "ListTagsForStream": 5,
    "RemoveTagsFromStream": 5,
}
CALLS_PER_SECOND_OF_STREAM = {
    "DeregisterStreamConsumer": 5,
    "DescribeStreamConsumer": 20,
    "ListStreamConsumers": 5,
}
CONSUMERS_MAX = 20
CONSUMERS_CREATING_MAX = 5
CHANGES_PER_DAY = {
    "UpdateShardCount": 10,
    "UpdateStreamMode": 2,
    "StartStreamEncryption": 25,
    "StopStreamEncryption": 25,
}
_DAY_SECONDS = 86_400.0


class Bucket:
    """An allowance of `rate` per second that holds at most one second's worth."""

    __slots__ = ("_at", "_level", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._level = rate
        self._at: float | None = None

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._level = min(self._rate, self._level + (now - self._at) * self._rate)
        self._at = now

    def holds(self, amount: float, now: float) -> bool:
        """Whether so much is there."""
        self._refill(now)
        # The tolerance forgives what adding up fractions of a second loses.
        return self._level + 1e-6 >= amount

    def ready_at(self, now: float) -> float:
        """When there will be anything again, `now` at the earliest."""
        self._refill(now)
        return now + max(0.0, 1 - self._level) / self._rate

    def draw(self, amount: float) -> None:
        """Take it, into debt if need be: one large read silences the shard for some seconds."""
        self._level -= amount

    def take(self, amount: float, now: float) -> bool:
        """Take it if it is there."""
        if not self.holds(amount, now):
            return False
        self._level -= amount
        return True


class CallRates:
    """The allowances of calls that change or list, per operation, of an account or a stream."""

    def __init__(self, per_second: Mapping[str, float]) -> None:
        self._buckets = {name: Bucket(rate) for name, rate in per_second.items()}

    def allow(self, operation: str, now: float) -> bool:
        """Whether this call still fits into its second."""
        bucket = self._buckets.get(operation)
        return bucket is None or bucket.take(1, now)


class RollingCounts:
    """How often a stream was changed in the last 24 hours, by operation."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}

    def check(self, operation: str, now: float) -> None:
        """Refuse the change that is one too many.

        Raises:
            AwsError: It was made as often as `CHANGES_PER_DAY` allows.
        """
        recent = [at for at in self._times.get(operation, ()) if at > now - _DAY_SECONDS]
        self._times[operation] = recent
        limit = CHANGES_PER_DAY[operation]
        if len(recent) >= limit:
            raise AwsError(
                "LimitExceededException", f"{operation} was done {limit} times in 24 hours"
            )

    def note(self, operation: str, now: float) -> None:
        """Count a change that is being made."""
        self._times.setdefault(operation, []).append(now)
