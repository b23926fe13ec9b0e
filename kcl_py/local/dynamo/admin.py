"""How is a table made, described, changed and deleted?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kcl_py.local.dynamo.indexes import Index
from kcl_py.local.dynamo.keys import KeySchema
from kcl_py.local.dynamo.tables import Settings, Table, table_arn
from kcl_py.local.dynamo.world import Answer, Request, World
from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.parameters import (
    flag,
    mapping,
    one_of,
    optional_text,
    optional_whole,
    required_text,
    sequence,
)

_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_BILLING = ("PROVISIONED", "PAY_PER_REQUEST")
_KEY_KINDS = ("S", "N", "B")


def create_table(world: World, request: Request) -> Answer:
    """CreateTable."""
    name = required_text(request, "TableName")
    if not _NAME.fullmatch(name):
        raise invalid("TableName must be 3 to 255 letters, digits, '_', '.' or '-'")
    world.settle()
    if name in world.tables:
        raise AwsError("ResourceInUseException", f"table {name} exists already")
    kinds = _attribute_kinds(request)
    now = world.clock()
    table = Table(
        name,
        _new_id(world),
        _schema(request, kinds),
        made_at=now,
        ready_at=now + world.settings.create_seconds,
        keeps_history=world.stale is not None,
    )
    for index in sequence(request, "GlobalSecondaryIndexes"):
        made = _index(table.schema, index, kinds)
        table.indexes[made.name] = made
    schemas = (table.schema, *(index.schema for index in table.indexes.values()))
    used = {attribute for schema in schemas for attribute in schema.names}
    if used != kinds.keys():
        raise invalid("AttributeDefinitions must hold the attributes of the keys and no others")
    table.settings = _settings(request)
    world.tables[name] = table
    return {"TableDescription": table.describe(now)}


def describe_table(world: World, request: Request) -> Answer:
    """DescribeTable."""
    table = world.find(request)
    for index in table.indexes.values():
        index.settle(world.clock())
    return {"Table": table.describe(world.clock())}


def update_table(world: World, request: Request) -> Answer:
    """UpdateTable: deletion protection, billing mode and throughput."""
    table = world.changeable(request)
    settings = table.settings
    settings.deletion_protection = flag(
        request, "DeletionProtectionEnabled", default=settings.deletion_protection
    )
    if "BillingMode" in request:
        settings.billing_mode = one_of(request, "BillingMode", _BILLING)
    settings.throughput = mapping(request, "ProvisionedThroughput") or settings.throughput
    return {"TableDescription": table.describe(world.clock())}


def delete_table(world: World, request: Request) -> Answer:
    """DeleteTable."""
    table = world.changeable(request)
    if table.settings.deletion_protection:
        raise invalid(f"table {table.name} is protected against deletion")
    now = world.clock()
    table.deleted_at = now + world.settings.delete_seconds
    description = table.describe(now)
    world.settle()
    return {"TableDescription": description}


def list_tables(world: World, request: Request) -> Answer:
    """ListTables, by name."""
    world.settle()
    after = optional_text(request, "ExclusiveStartTableName") or ""
    limit = optional_whole(request, "Limit", 1, 100) or 100
    names = sorted(name for name in world.tables if name > after)
    answer: Answer = {"TableNames": names[:limit]}
    if len(names) > limit:
        answer["LastEvaluatedTableName"] = names[limit - 1]
    return answer


def tag_resource(world: World, request: Request) -> Answer:
    """TagResource."""
    _table_of_arn(world, request).settings.tags.update(_tags(request))
    return {}


def untag_resource(world: World, request: Request) -> Answer:
    """UntagResource."""
    table = _table_of_arn(world, request)
    for key in sequence(request, "TagKeys"):
        table.settings.tags.pop(key, None)
    return {}


def list_tags(world: World, request: Request) -> Answer:
    """ListTagsOfResource, in one page."""
    tags = _table_of_arn(world, request).settings.tags
    return {"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}


def describe_backups(world: World, request: Request) -> Answer:
    """DescribeContinuousBackups."""
    enabled = world.find(request).settings.point_in_time_recovery
    state = "ENABLED" if enabled else "DISABLED"
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": state},
        }
    }


def update_backups(world: World, request: Request) -> Answer:
    """UpdateContinuousBackups."""
    table = world.changeable(request)
    wanted = mapping(request, "PointInTimeRecoverySpecification")
    table.settings.point_in_time_recovery = flag(wanted, "PointInTimeRecoveryEnabled")
    return describe_backups(world, request)


def describe_time_to_live(world: World, request: Request) -> Answer:
    """DescribeTimeToLive."""
    attribute = world.find(request).settings.time_to_live
    if attribute is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}


def _new_id(world: World) -> str:
    digits = f"{world.rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _attribute_kinds(request: Request) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for definition in sequence(request, "AttributeDefinitions"):
        name = required_text(definition, "AttributeName")
        if definition.get("AttributeType") not in _KEY_KINDS:
            raise invalid(f"AttributeType of {name} must be one of {', '.join(_KEY_KINDS)}")
        kinds[name] = definition["AttributeType"]
    return kinds


def _schema(request: Mapping[str, Any], kinds: Mapping[str, str]) -> KeySchema:
    parts = sequence(request, "KeySchema")
    if [part.get("KeyType") for part in parts] not in (["HASH"], ["HASH", "RANGE"]):
        raise invalid("KeySchema must be one HASH attribute, and then at most one RANGE attribute")
    names = [required_text(part, "AttributeName") for part in parts]
    for name in names:
        if name not in kinds:
            raise invalid(f"{name} of KeySchema is not in AttributeDefinitions")
    flat = [part for name in names for part in (name, kinds[name])]
    return KeySchema(*flat)


def _index(table_schema: KeySchema, request: dict[str, Any], kinds: dict[str, str]) -> Index:
    name = required_text(request, "IndexName")
    projection = mapping(request, "Projection")
    if projection.get("ProjectionType") not in ("KEYS_ONLY", "INCLUDE", "ALL"):
        raise invalid(f"index {name} needs a ProjectionType")
    return Index(name, _schema(request, kinds), table_schema, projection)


def _settings(request: Request) -> Settings:
    billing = one_of(request, "BillingMode", _BILLING)
    throughput = mapping(request, "ProvisionedThroughput")
    if (billing == "PROVISIONED") != bool(throughput):
        raise invalid("ProvisionedThroughput is needed for PROVISIONED, and only for that")
    return Settings(
        billing_mode=billing,
        throughput=throughput,
        deletion_protection=flag(request, "DeletionProtectionEnabled"),
        sse=flag(mapping(request, "SSESpecification"), "Enabled"),
        tags=_tags(request),
    )


def _tags(request: Request) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in sequence(request, "Tags")}


def _table_of_arn(world: World, request: Request) -> Table:
    arn = required_text(request, "ResourceArn")
    name = arn.rpartition("/")[2]
    if arn != table_arn(name) or name not in world.tables:
        raise AwsError("ResourceNotFoundException", f"there is no resource {arn}")
    return world.find({"TableName": name})
