"""Which function answers which operation of DynamoDB?"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from kcl_py.local.dynamo import admin, batches, pages, reads, writes
from kcl_py.local.dynamo.saving import dump_world, load_world
from kcl_py.local.dynamo.world import Answer, DynamoSettings, Request, World
from kcl_py.local.errors import unknown_operation
from kcl_py.local.parameters import refuse_unknown


class _Operation(NamedTuple):
    run: Callable[[World, Request], Answer]
    parameters: frozenset[str]


_PLACEHOLDERS = ("ExpressionAttributeNames", "ExpressionAttributeValues")
_WRITE = (
    "TableName",
    "ConditionExpression",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnConsumedCapacity",
    *_PLACEHOLDERS,
)
_PAGE = (
    "TableName",
    "IndexName",
    "ConsistentRead",
    "ExclusiveStartKey",
    "FilterExpression",
    "Limit",
    "ProjectionExpression",
    "ReturnConsumedCapacity",
    "Select",
    *_PLACEHOLDERS,
)


def _operation(run: Callable[[World, Request], Answer], *parameters: str) -> _Operation:
    return _Operation(run, frozenset(parameters))


_OPERATIONS = {
    "CreateTable": _operation(
        admin.create_table,
        "TableName",
        "AttributeDefinitions",
        "KeySchema",
        "GlobalSecondaryIndexes",
        "BillingMode",
        "ProvisionedThroughput",
        "DeletionProtectionEnabled",
        "SSESpecification",
        "Tags",
    ),
    "DescribeTable": _operation(admin.describe_table, "TableName"),
    "UpdateTable": _operation(
        admin.update_table,
        "TableName",
        "BillingMode",
        "ProvisionedThroughput",
        "DeletionProtectionEnabled",
    ),
    "DeleteTable": _operation(admin.delete_table, "TableName"),
    "ListTables": _operation(admin.list_tables, "ExclusiveStartTableName", "Limit"),
    "TagResource": _operation(admin.tag_resource, "ResourceArn", "Tags"),
    "UntagResource": _operation(admin.untag_resource, "ResourceArn", "TagKeys"),
    "ListTagsOfResource": _operation(admin.list_tags, "ResourceArn", "NextToken"),
    "DescribeContinuousBackups": _operation(admin.describe_backups, "TableName"),
    "UpdateContinuousBackups": _operation(
        admin.update_backups, "TableName", "PointInTimeRecoverySpecification"
    ),
    "DescribeTimeToLive": _operation(admin.describe_time_to_live, "TableName"),
    "GetItem": _operation(
        reads.get_item,
        "TableName",
        "Key",
        "ConsistentRead",
        "ProjectionExpression",
        "ExpressionAttributeNames",
        "ReturnConsumedCapacity",
    ),
    "PutItem": _operation(writes.put_item, "Item", *_WRITE),
    "DeleteItem": _operation(writes.delete_item, "Key", *_WRITE),
    "UpdateItem": _operation(writes.update_item, "Key", "UpdateExpression", *_WRITE),
    "Query": _operation(pages.query, "KeyConditionExpression", "ScanIndexForward", *_PAGE),
    "Scan": _operation(pages.scan, "Segment", "TotalSegments", *_PAGE),
    "BatchGetItem": _operation(batches.batch_get_item, "RequestItems", "ReturnConsumedCapacity"),
    "BatchWriteItem": _operation(
        batches.batch_write_item, "RequestItems", "ReturnConsumedCapacity"
    ),
    "TransactWriteItems": _operation(
        batches.transact_write_items,
        "TransactItems",
        "ClientRequestToken",
        "ReturnConsumedCapacity",
    ),
}


class Dynamo:
    """A DynamoDB service inside this object: no thread, clock or randomness of its own.

    One call at a time. Requests and answers have boto3's client shapes with typed attribute values
    (`{"S": "a"}`); times are seconds since 1970, `B` is bytes. Answers share values with the store:
    do not change them.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        rng: random.Random,
        settings: DynamoSettings | None = None,
        *,
        stale: Callable[[], float] | None = None,
    ) -> None:
        """Make an empty service.

        Args:
            clock: Wall seconds since 1970.
            rng: Makes table ids.
            stale: Asked at every read that need not be consistent, how many seconds old its
                answer is. Without it such reads are as fresh as the others.
        """
        self.world = World(clock, rng, settings or DynamoSettings(), stale)

    def call(self, operation: str, request: Request) -> Answer:
        """Answer one request.

        Raises:
            AwsError: What the service would answer with an error, an unknown operation included.
        """
        known = _OPERATIONS.get(operation)
        if known is None:
            raise unknown_operation(operation)
        refuse_unknown(operation, request, known.parameters)
        return known.run(self.world, request)

    def dump(self) -> dict[str, Any]:
        """Everything that outlives a restart, as plain data."""
        return dump_world(self.world)

    def load(self, saved: dict[str, Any]) -> None:
        """Take over what `dump` returned, in place of everything here."""
        load_world(self.world, saved)
