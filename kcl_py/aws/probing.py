"""May we make each call that a worker makes? Tried in ways that change nothing.

Writes are tried on the condition that a row is there which is not: whoever may not write is told
so before the condition is looked at.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kcl_py.aws import attributes as wire
from kcl_py.aws.failures import error_code, failure
from kcl_py.aws.lease_codec import get_request, owned_request, read_request
from kcl_py.aws.peeking import server_time_of
from kcl_py.aws.table_setup import check_table, has_index
from kcl_py.core.events import Failure, FailureKind
from kcl_py.errors import LeaseTableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

    from kcl_py.aws.names import StreamAddress

_NO_ROW: Final = "attribute_exists(#key)"


@dataclass(slots=True)
class Prober:
    """Tries the calls of a worker, once each, and keeps what came of them.

    Attributes:
        tried: By action: why it failed, None if it worked.
        skews: Seconds that our wall clock was ahead of the service's, at each answer.
    """

    kinesis: KinesisClient
    dynamodb: DynamoDBClient
    stream: StreamAddress
    table_name: str
    tried: dict[str, Failure | None] = field(default_factory=dict)
    skews: list[float] = field(default_factory=list)

    def stream_summary(self) -> Mapping[str, Any] | Failure:
        """`StreamDescriptionSummary`, or why not."""
        answer = self._try(
            "kinesis:DescribeStreamSummary",
            partial(self.kinesis.describe_stream_summary, **self.stream.parameters),
        )
        return answer if isinstance(answer, Failure) else answer["StreamDescriptionSummary"]

    def try_reading(self, shard_id: str) -> None:
        """List, get an iterator at the tip of a shard, and read once from it."""
        by: Any = self.stream.parameters
        self._try("kinesis:ListShards", partial(self.kinesis.list_shards, MaxResults=1, **by))
        got = self._try(
            "kinesis:GetShardIterator",
            partial(
                self.kinesis.get_shard_iterator,
                ShardId=shard_id,
                ShardIteratorType="LATEST",
                **by,
            ),
        )
        if not isinstance(got, Failure):
            account: Any = {"StreamARN": self.stream.arn} if self.stream.arn else {}
            self._try(
                "kinesis:GetRecords",
                partial(
                    self.kinesis.get_records,
                    ShardIterator=got["ShardIterator"],
                    Limit=1,
                    **account,
                ),
            )

    def shard_limits(self) -> tuple[int, int] | None:
        """Open shards of the account in this region, and how many it may have; None: not told."""
        try:
            answer = self.kinesis.describe_limits()
            return answer["OpenShardCount"], answer["ShardLimit"]
        except Exception:  # noqa: BLE001 - a worker needs no right to ask this
            return None

    def describe_table(self) -> Mapping[str, Any] | Failure | None:
        """`Table`, with `has_index` and `trouble` of its form; None: there is no such table."""
        answer = self._try(
            "dynamodb:DescribeTable",
            partial(self.dynamodb.describe_table, TableName=self.table_name),
        )
        if isinstance(answer, Failure):
            if answer.kind is FailureKind.GONE:
                self.tried["dynamodb:DescribeTable"] = None
                return None
            return answer
        table = dict(answer["Table"])
        try:
            check_table(self.table_name, table)
        except LeaseTableError as error:
            table["trouble"] = str(error)
        return {**table, "has_index": has_index(table)}

    def try_table(self, *, with_index: bool) -> None:
        """Make each call on the table that a worker makes; only one that has our key."""
        name, key = self.table_name, f"kcl-doctor-{secrets.token_hex(6)}"
        where: dict[str, Any] = {
            "TableName": name,
            "Key": {wire.KEY: wire.text(key)},
            "ConditionExpression": _NO_ROW,
            "ExpressionAttributeNames": {"#key": wire.KEY},
        }
        calls: list[tuple[str, Callable[[], Any]]] = [
            ("Scan", partial(self.dynamodb.scan, TableName=name, Limit=1)),
            ("GetItem", partial(self.dynamodb.get_item, **get_request(name, key))),
            ("BatchGetItem", partial(self.dynamodb.batch_get_item, **read_request(name, [key]))),
            (
                "UpdateItem",
                partial(
                    self.dynamodb.update_item,
                    **{
                        **where,
                        "UpdateExpression": "REMOVE #probe",
                        "ExpressionAttributeNames": {"#key": wire.KEY, "#probe": "kclProbe"},
                    },
                ),
            ),
            ("DeleteItem", partial(self.dynamodb.delete_item, **where)),
        ]
        if with_index:
            owned = owned_request(name, key, start=None)
            calls.append(("Query", partial(self.dynamodb.query, **owned)))
        for operation, call in calls:
            self._try(f"dynamodb:{operation}", call)

    @property
    def skew(self) -> float | None:
        """The least that our wall clock can be ahead of the service's, by what answers said."""
        return min(self.skews, key=abs, default=None)

    def rights(
        self, not_tried: Sequence[tuple[str, str]] = ()
    ) -> list[tuple[str, Failure | None, str]]:
        """Action, failure, and why it was not tried."""
        return [
            *((action, trouble, "") for action, trouble in self.tried.items()),
            *((action, None, why) for action, why in not_tried if action not in self.tried),
        ]

    def _try(self, action: str, call: Callable[[], Any]) -> Mapping[str, Any] | Failure:
        try:
            answer: Mapping[str, Any] = call()
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            if error_code(error) == "ConditionalCheckFailedException":
                self.tried[action] = None
                return {}
            found = failure(error, action)
            self.tried[action] = found
            return found
        self.tried[action] = None
        told = server_time_of(answer)
        if told is not None:
            self.skews.append(_off_by(time.time(), told))
        return answer


def _off_by(ours: float, theirs: float) -> float:
    """How far ahead our clock is, where theirs is told in whole seconds."""
    ahead = ours - theirs
    return 0.0 if 0.0 <= ahead < 1.0 else (ahead if ahead < 0 else ahead - 1.0)
