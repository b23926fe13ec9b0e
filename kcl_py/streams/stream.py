"""How is a stream looked at and changed?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from kcl_py._words import counted
from kcl_py.aggregation import hash_key
from kcl_py.aws.names import StreamPlace
from kcl_py.aws.retry import poll_seconds
from kcl_py.aws.stream_admin import AnswerLost, StreamBusy, StreamInUse
from kcl_py.core.events import Failure
from kcl_py.core.shards.graph import Lineage
from kcl_py.errors import KclError, SetupError, StreamNotFound, Unavailable
from kcl_py.streams import changes
from kcl_py.streams.changes import Order, Reshard
from kcl_py.streams.connection import WAIT_SECONDS, Connection
from kcl_py.streams.descriptions import (
    ShardDescription,
    StreamDescription,
    describe_shard,
    describe_summary,
    ordered_shard,
)
from kcl_py.streams.troubles import error_of

if TYPE_CHECKING:
    import boto3.session

    from kcl_py.core.shards.graph import Shard

LISTINGS_MAX: Final = 8
"""Until a listing shows what was made."""

TRIES_MAX: Final = 5
"""Of a change whose answers get lost."""


class Stream:
    """A handle on one stream; methods that change it wait until it is ACTIVE unless told not to.

    Making one connects nothing. Thread-safe.

    Args:
        name_or_arn: Of the stream. An ARN also says the region.
        region: None: as boto3 finds it.
        endpoint_url: Another address for Kinesis; None: as boto3 finds it.
        session: Asked for clients; never changed. None: the default chain of boto3.
    """

    def __init__(
        self,
        name_or_arn: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        session: boto3.session.Session | None = None,
    ) -> None:
        self._connection = Connection(
            name_or_arn, region=region, endpoint_url=endpoint_url, session=session
        )

    @property
    def _name(self) -> str:
        return self._connection.address.name

    def __repr__(self) -> str:
        return f"Stream({self._connection.address.arn or self._name!r})"

    @property
    def place(self) -> StreamPlace:
        """How it is reached; a `Producer` that is given this handle goes there as well."""
        asked = self._connection
        return StreamPlace(asked.address, asked.region, asked.endpoint_url, asked.session)

    # -------------------------------------------------------------------------------- looking

    def describe(self) -> StreamDescription:
        """As it is now.

        Raises:
            StreamNotFound: There is no such stream.
        """
        return describe_summary(self._connection.admin.summary(self._connection.address))

    def shards(self, *, only_open: bool = False) -> Sequence[ShardDescription]:
        """All shards that are listed, parents before children.

        Closed ones are listed until their records are past.
        """
        lineage = self._lineage()
        shards = lineage.open_shards() if only_open else lineage.in_order()
        return tuple(map(describe_shard, shards))

    def tags(self) -> Mapping[str, str]:
        """All tags, as they are now.

        Raises:
            StreamNotFound: There is no such stream.
        """
        return self._connection.admin.tags(self._connection.address)

    def shard_for_key(self, partition_key: str) -> ShardDescription:
        """The open shard that takes records of this partition key now."""
        place = hash_key(partition_key)
        for shard in self._lineage().open_shards():
            if shard.hash_range[0] <= place <= shard.hash_range[1]:
                return describe_shard(shard)
        raise SetupError(
            f"no open shard of the stream {self._name} has hash key {place}; it is being "
            "resharded, so ask again soon"
        )

    def wait_active(self, timeout: float = WAIT_SECONDS) -> StreamDescription:
        """Wait until the stream can be changed and read.

        Args:
            timeout: Seconds.

        Raises:
            StreamNotFound: There is no such stream, or it is being deleted.
            Unavailable: It is not ACTIVE in time.
        """
        clock, deadline = self._connection.clock, self._connection.clock() + timeout
        for number in range(10**9):
            found = self.describe()
            if found.status == "ACTIVE":
                return found
            if found.status == "DELETING":
                raise StreamNotFound(
                    f"the stream {self._name} is being deleted; wait until it is gone, then create "
                    "it again, or name another"
                )
            if clock() >= deadline:
                raise Unavailable(
                    f"the stream {self._name} was {found.status} for {timeout:g} s; wait longer"
                )
            self._connection.patience.sleep(poll_seconds(number))
        raise AssertionError("a wait ends")

    def _lineage(self) -> Lineage:
        seen = self._connection.listing.list_shards()
        if not isinstance(seen, Failure):
            return Lineage(seen.shards)
        raise self._explained(error_of(seen))

    def _explained(self, error: KclError) -> KclError:
        """The shards of a stream that is being made or deleted cannot be listed; say so."""
        try:
            status = self.describe().status
        except KclError:
            return error
        if status not in ("CREATING", "DELETING"):
            return error
        next_step = "wait until it is ACTIVE" if status == "CREATING" else "name another"
        return StreamBusy(f"the stream {self._name} is {status} and has no shards; {next_step}")

    # ------------------------------------------------------------------------------- resharding

    def split(
        self, shard_id: str, *, at: float | None = None, wait: bool = True
    ) -> tuple[ShardDescription, ShardDescription]:
        """At the middle; `at` is a fraction (float) or a starting hash key (int).

        Returns:
            The lower and the upper half. Without `wait` they are not there yet, and have no id.

        Raises:
            ConfigError: There is no such open shard, or it cannot be split there.
            StreamBusy: Without `wait`: the stream is not ACTIVE.
        """
        lower, upper = self._reshard(
            lambda now, again: changes.plan_split(now, shard_id, at, again=again), wait=wait
        )
        return lower, upper

    def merge(
        self, shard_id: str, adjacent_shard_id: str, *, wait: bool = True
    ) -> ShardDescription:
        """Merge two open shards whose hash keys are neighbours.

        Returns:
            What they became. Without `wait` it is not there yet, and has no id.

        Raises:
            ConfigError: They are no neighbours (the message says who is), or not open.
            StreamBusy: Without `wait`: the stream is not ACTIVE.
        """
        [merged] = self._reshard(
            lambda now, again: changes.plan_merge(now, shard_id, adjacent_shard_id, again=again),
            wait=wait,
        )
        return merged

    def _reshard(
        self, plan: Callable[[Lineage, bool], Reshard], *, wait: bool
    ) -> Sequence[ShardDescription]:
        made: list[Reshard] = []

        def orders() -> list[Order]:
            made.append(plan(self._lineage(), bool(made)))
            return _maybe(made[-1].order)

        self._change(orders, wait=wait)
        children = self._children_of(made[-1]) if wait else None
        if children is not None:
            return tuple(map(describe_shard, children))
        return tuple(ordered_shard(made[-1].parents, keys) for keys in made[-1].ranges)

    def _children_of(self, made: Reshard) -> Sequence[Shard] | None:
        """What the service says of itself may lag behind."""
        for number in range(LISTINGS_MAX):
            self._wait_until_active()
            children = made.children(self._lineage())
            if children is not None:
                return children
            self._connection.patience.sleep(poll_seconds(number))
        return None

    # ---------------------------------------------------------------------------------- settings

    def scale(self, shards: int, *, wait: bool = True) -> None:
        """Bring the number of open shards to this, of equal size (UpdateShardCount).

        The service goes to double or half at most, and so often a day.
        """
        self._change(lambda: _maybe(changes.plan_scale(self.describe(), shards)), wait=wait)

    def set_mode(self, mode: Literal["provisioned", "on_demand"], *, wait: bool = True) -> None:
        """Change between shards that are counted and shards that come by themselves."""
        self._change(lambda: _maybe(changes.plan_mode(self.describe(), mode)), wait=wait)

    def set_retention(self, hours: int, *, wait: bool = True) -> None:
        """Keep records for 24 to 8760 hours."""
        self._change(lambda: _maybe(changes.plan_retention(self.describe(), hours)), wait=wait)

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Set these; None removes a tag, others stay."""
        self._change(lambda: changes.plan_tags(tags), wait=False)

    def set_enhanced_metrics(self, metrics: Iterable[str]) -> None:
        """Keep these metrics for each shard and no others; "ALL" is all, an empty list none."""
        wanted = metrics if isinstance(metrics, str) else tuple(metrics)
        # What is dropped, then what is new: in between the stream is UPDATING.
        for _ in range(2):
            self._change(lambda: changes.plan_metrics(self.describe(), wanted)[:1], wait=True)

    def encrypt(self, kms_key: str | None, *, wait: bool = True) -> None:
        """Encrypt what comes from now on with this key (id, ARN or alias); None: not at all."""
        self._change(lambda: _maybe(changes.plan_encryption(self.describe(), kms_key)), wait=wait)

    def delete(self, *, wait: bool = True, enforce_consumer_deletion: bool = False) -> None:
        """Delete the stream with all of its records; waits until it is gone.

        Args:
            wait: Until it is gone.
            enforce_consumer_deletion: Also if consumers are registered with it.

        Raises:
            StreamNotFound: There is no such stream.
            StreamInUse: Consumers are registered with it.
        """
        was_sent = False

        def orders() -> list[Order]:
            nonlocal was_sent
            try:
                now = self.describe()
            except StreamNotFound:
                if was_sent:
                    return []
                raise
            if now.status == "DELETING":
                return []
            if now.consumers and not enforce_consumer_deletion:
                consumers = counted(now.consumers, "registered consumer")
                raise StreamInUse(
                    f"the stream {self._name} has {consumers}; deregister all, or use "
                    "enforce_consumer_deletion"
                )
            was_sent = True
            return [Order("DeleteStream", {"EnforceConsumerDeletion": enforce_consumer_deletion})]

        self._change(orders, wait=wait, then=self._wait_gone)

    def _wait_until_active(self) -> None:
        self.wait_active(self._connection.wait_seconds)

    def _wait_gone(self) -> None:
        seconds = self._connection.wait_seconds
        clock, deadline = self._connection.clock, self._connection.clock() + seconds
        number = 0
        while clock() < deadline:
            try:
                self.describe()
            except StreamNotFound:
                return
            self._connection.patience.sleep(poll_seconds(number))
            number += 1
        raise Unavailable(f"the stream {self._name} was not gone after {seconds:g} s")

    # ---------------------------------------------------------------------------------- changing

    def _change(
        self,
        orders: Callable[[], Sequence[Order]],
        *,
        wait: bool,
        then: Callable[[], object] | None = None,
    ) -> None:
        """Do what was ordered, once: after a lost answer, look again what is left to do."""
        lost = 0
        deadline = self._connection.clock() + self._connection.wait_seconds
        while True:
            try:
                for order in orders():
                    self._send(order)
                break
            except StreamBusy:
                if not wait or self._connection.clock() >= deadline:
                    raise
                self.wait_active(self._connection.wait_seconds)
            except AnswerLost:
                lost += 1
                if lost >= TRIES_MAX:
                    raise
                self._connection.patience.sleep(poll_seconds(lost))
        if wait:
            (then or self._wait_until_active)()

    def _send(self, order: Order) -> None:
        address = self._connection.address
        by_name = {} if "StreamARN" in order.parameters else address.parameters
        self._connection.admin.change(order.operation, address, **by_name, **order.parameters)


def _maybe(order: Order | None) -> list[Order]:
    return [] if order is None else [order]
