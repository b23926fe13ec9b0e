"""Is there a lease table that can be used, and if not, may we create it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kcl_py.aws.attributes import INDEX, KEY, OWNER
from kcl_py.aws.failures import UnparsableAnswerError, error_code, kind_of, public_error
from kcl_py.aws.java_rows import LEGACY_TABLE_SUFFIX
from kcl_py.aws.lease_codec import decode_row, scan_request
from kcl_py.aws.lease_table import table_id_of
from kcl_py.aws.retry import POLL_TOTAL_SECONDS, POLLS_MAX, Patience, control_calls, poll_seconds
from kcl_py.core.events import FailureKind
from kcl_py.core.facts import TableFacts
from kcl_py.core.leases.java import find_java, why_refused
from kcl_py.core.leases.rows import APPLICATION_KEY
from kcl_py.errors import AccessDenied, LeaseTableError, NoCredentials, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from kcl_py.config import TableConfig

KEY_SCHEMA: Final = [{"AttributeName": KEY, "KeyType": "HASH"}]
INDEX_SCHEMA: Final = [
    {"AttributeName": OWNER, "KeyType": "HASH"},
    {"AttributeName": KEY, "KeyType": "RANGE"},
]
_READY: Final = frozenset({"ACTIVE", "UPDATING"})


def open_table(
    client: DynamoDBClient,
    config: TableConfig,
    app_name: str,
    *,
    patience: Patience,
    on_progress: Callable[[str], None],
) -> TableFacts:
    """Find the lease table, or create it with its index; wait until it can be used.

    Args:
        client: For control calls.
        config: `create` and what a new table gets.
        app_name: Names the table unless the configuration does.
        patience: How to wait; at most ten minutes.
        on_progress: Told what is being waited for.

    Raises:
        LeaseTableError: Missing and not to be created, no lease table, global, or unusable.
        KclError: Access, credentials, or the service.
    """
    name = config.name or app_name
    table = _describe(client, name, patience)
    created = table is None
    if created:
        if not config.create:
            raise LeaseTableError(_how_to_create(name))
        on_progress(f"creating the lease table {name}")
        _create(client, name, config, patience)
    table = _wait_until_ready(client, name, table, patience, on_progress)
    if not created:
        _refuse_legacy(client, app_name, patience)
        _refuse_leases_of_java(client, name, patience)
    if created and config.point_in_time_recovery:
        _call(
            "dynamodb:UpdateContinuousBackups",
            patience,
            client.update_continuous_backups,
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
    return TableFacts(name=name, table_id=table_id_of(table), has_index=has_index(table))


def create_request(name: str, config: TableConfig) -> dict[str, Any]:
    """Spell the creation of a lease table and its index, in one call."""
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": KEY_SCHEMA,
        "AttributeDefinitions": [
            {"AttributeName": KEY, "AttributeType": "S"},
            {"AttributeName": OWNER, "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": INDEX_SCHEMA,
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    }
    if config.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in config.tags.items()]
    if config.deletion_protection:
        request["DeletionProtectionEnabled"] = True
    if config.kms_key is not None:
        request["SSESpecification"] = {
            "Enabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": config.kms_key,
        }
    return request


def has_index(table: Mapping[str, Any]) -> bool:
    """Say whether the index on the owner can be asked."""
    return any(
        index.get("IndexName") == INDEX
        and index.get("IndexStatus", "ACTIVE") in _READY
        and index.get("KeySchema") == INDEX_SCHEMA
        for index in table.get("GlobalSecondaryIndexes") or ()
    )


def check_table(name: str, table: Mapping[str, Any]) -> None:
    """Refuse a table that leases cannot live in.

    Raises:
        LeaseTableError: Another key, or replicated to other regions.
    """
    types = {
        attribute.get("AttributeName"): attribute.get("AttributeType")
        for attribute in table.get("AttributeDefinitions") or ()
    }
    if table.get("KeySchema") != KEY_SCHEMA or types.get(KEY) != "S":
        raise LeaseTableError(
            f"the table {name} is not a lease table: its key is not the string {KEY} alone; "
            "choose another app_name or table.name"
        )
    if table.get("Replicas"):
        raise LeaseTableError(
            f"the table {name} is a global table, where two regions could give one lease to two "
            "workers; use a table of one region"
        )


def _refuse_legacy(client: DynamoDBClient, app_name: str, patience: Patience) -> None:
    """Refuse an application of the Java KCL 3.0 to 3.4, whose lease table does not show it.

    Its leader would go on assigning the leases. Whoever may not look cannot tell, and goes on:
    rows of the later versions are in the lease table itself.

    Raises:
        LeaseTableError: It is there.
    """
    legacy = f"{app_name}{LEGACY_TABLE_SUFFIX}"
    try:
        found = _describe(client, legacy, patience)
    except (AccessDenied, NoCredentials):
        return
    if found is not None and found.get("TableName") == legacy:
        raise LeaseTableError(
            f"the table {legacy} says that a Java KCL 3.x uses the application {app_name}; two "
            "kinds of workers must not share it. Choose another app name, or, once no Java worker "
            f"runs any more, delete {legacy}"
        )


def _refuse_leases_of_java(client: DynamoDBClient, name: str, patience: Patience) -> None:
    """Refuse a table of the Java KCL 2.x before a row of ours is in it, which it could not read.

    A table that kcl_py has begun to use is examined by the worker itself, with its first scan.

    Raises:
        LeaseTableError: It is one.
    """
    key = {KEY: {"S": APPLICATION_KEY}}
    try:
        found = _ask(
            "dynamodb:GetItem",
            patience,
            lambda: client.get_item(TableName=name, Key=key, ConsistentRead=True),
        )
        start: Any = None
        while "Item" not in found:
            request: Any = scan_request(name, consistent=True, start=start)
            page = _ask("dynamodb:Scan", patience, partial(client.scan, **request))
            java = find_java(map(decode_row, page["Items"]))
            if java is not None:
                raise LeaseTableError(why_refused(name, java))
            start = page.get("LastEvaluatedKey")
            if not start:
                return
    except AccessDenied:
        return  # the worker says which right is missing


def _how_to_create(name: str) -> str:
    return (
        f"there is no table {name} and table.create is off; set table.create=true, or "
        f"create one with the partition key {KEY} (S) and "
        f"the index {INDEX} ({OWNER} (S), {KEY} (S), KEYS_ONLY)"
    )


def _create(client: DynamoDBClient, name: str, config: TableConfig, patience: Patience) -> None:
    def create_unless_there() -> None:
        try:
            client.create_table(**create_request(name, config))
        except Exception as error:
            # Another worker of the fleet was faster, or our own attempt had come through.
            if error_code(error) != "ResourceInUseException":
                raise

    _call("dynamodb:CreateTable", patience, create_unless_there)


def _wait_until_ready(
    client: DynamoDBClient,
    name: str,
    table: Mapping[str, Any] | None,
    patience: Patience,
    on_progress: Callable[[str], None],
) -> Mapping[str, Any]:
    for round_number in range(POLLS_MAX):
        status = "not visible yet" if table is None else str(table.get("TableStatus"))
        if table is not None:
            check_table(name, table)
            if status in _READY:
                return table
            if status != "CREATING":
                raise LeaseTableError(
                    f"the lease table {name} is {status}; start again once it is ACTIVE, "
                    "or use another table.name"
                )
        on_progress(f"the lease table {name} is {status}")
        patience.sleep(poll_seconds(round_number))
        if patience.is_stopping():
            raise Unavailable(f"stopped while waiting for the lease table {name}")
        table = _describe(client, name, patience)
    raise Unavailable(
        f"the lease table {name} was not ready after {POLL_TOTAL_SECONDS} s; "
        "look at it in the console"
    )


def _describe(client: DynamoDBClient, name: str, patience: Patience) -> Mapping[str, Any] | None:
    def call() -> Mapping[str, Any]:
        answer: Mapping[str, Any] = client.describe_table(TableName=name)
        if not answer.get("Table"):
            raise UnparsableAnswerError("an answer that describes no table")
        table: Mapping[str, Any] = answer["Table"]
        return table

    try:
        return control_calls(patience)(call)
    except Exception as error:  # noqa: BLE001 - every exception has a meaning
        if kind_of(error) is FailureKind.GONE:
            return None
        raise public_error(error, "dynamodb:DescribeTable") from None


def _ask(action: str, patience: Patience, call: Callable[[], Any]) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = control_calls(patience)(call)
    except Exception as error:  # noqa: BLE001 - every exception has a meaning
        raise public_error(error, action) from None
    return answer


def _call(
    action: str, patience: Patience, call: Callable[..., object], **parameters: object
) -> None:
    try:
        control_calls(patience)(call, **parameters)
    except Exception as error:  # noqa: BLE001 - every exception has a meaning
        raise public_error(error, action) from None
