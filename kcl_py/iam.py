"""What must AWS allow to a worker, a producer, an operator, and somebody who only looks?

One table, `GRANTS`: who may do what, on which resource, under which condition, and why. Policies
are made of it; `tests/iam` shows that what the code calls is what they allow, and no more.
Sources: the Service Authorization Reference for which resource an action takes; the descriptions of
CreateStream and CreateTable for the permissions that tags need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from kcl_py.errors import ConfigError

__all__ = ["GRANTS", "Grant", "Needs", "On", "Role", "Scope", "grants_of", "policy"]

VERSION: Final = "2012-10-17"
"""Of the policy language; there is no newer one."""

LEASE_INDEX: Final = "LeaseOwnerToLeaseKeyIndex"

_STREAM: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):kinesis:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"stream/[a-zA-Z0-9_.-]{1,128}"
)
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+")


class Role(StrEnum):
    """Whom a policy is for."""

    WORKER = "worker"
    PRODUCER = "producer"
    OPERATOR = "operator"
    READ_ONLY = "read-only"


class On(StrEnum):
    """Which resource a grant names."""

    STREAM = "the stream"
    TABLE = "the lease table"
    INDEX = "the index of the lease table"
    STREAM_KEY = "the key of the stream"
    TABLE_KEY = "the key of the lease table"
    ALL = "*"


class Needs(StrEnum):
    """What must be so that a grant is given at all."""

    ALWAYS = "always"
    CREATE_TABLE = "`table.create` is on"
    TABLE_TAGS = "`table.tags` of a table that is created"
    TABLE_BACKUPS = "`table.point_in_time_recovery` of a table that is created"
    STREAM_KEY = "the stream is encrypted with a key of yours: `--kms`"
    TABLE_KEY = "the lease table is: `table.kms_key`"
    METRICS = "metrics go to CloudWatch: `--metrics`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One statement.

    Attributes:
        sid: Its name in a policy.
        roles: Who gets it.
        actions: What is allowed.
        on: On what.
        why: What it is for.
        needs: When it is given.
        by_service: It is Kinesis or DynamoDB that asks for it on our behalf; we never call it.
    """

    sid: str
    roles: frozenset[Role]
    actions: Sequence[str]
    on: On
    why: str
    needs: Needs = Needs.ALWAYS
    by_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a policy is about.

    Attributes:
        stream_arn: The stream.
        table: Name of the lease table; None: nothing is said of leases (a producer).
        account: Of the lease table; None: that of the stream.
        region: Of the lease table; None: that of the stream.
        create_table, table_tags, table_backups: As in `TableConfig`.
        stream_key, table_key: ARN of the key; None: none, or one that AWS owns.
        metrics: Namespace in CloudWatch; None: no metrics.
    """

    stream_arn: str
    table: str | None = None
    account: str | None = None
    region: str | None = None
    create_table: bool = True
    table_tags: bool = False
    table_backups: bool = False
    stream_key: str | None = None
    table_key: str | None = None
    metrics: str | None = None

    def __post_init__(self) -> None:
        if not _STREAM.fullmatch(self.stream_arn):
            raise ConfigError(
                f"{self.stream_arn[:200]!r} is no ARN of a stream; a policy needs "
                "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, as kcl stream describe shows it"
            )
        if self.account is not None and not _ACCOUNT.fullmatch(self.account):
            raise ConfigError(f"account = {self.account!r} is none; use its 12 digits")
        for name in ("stream_key", "table_key"):
            key = getattr(self, name)
            if key is not None and not _KEY.fullmatch(key):
                raise ConfigError(
                    f"{name} = {key!r} is no ARN of a key; an alias cannot stand in a policy, use "
                    "arn:aws:kms:REGION:ACCOUNT:key/ID"
                )

    def gives(self, needs: Needs) -> bool:
        """Whether a grant that needs this is given."""
        return {
            Needs.ALWAYS: True,
            Needs.CREATE_TABLE: self.create_table,
            Needs.TABLE_TAGS: self.create_table and self.table_tags,
            Needs.TABLE_BACKUPS: self.create_table and self.table_backups,
            Needs.STREAM_KEY: self.stream_key is not None,
            Needs.TABLE_KEY: self.table_key is not None,
            Needs.METRICS: self.metrics is not None,
        }[needs]

    def arn(self, on: On) -> str | None:
        """The ARN of a resource; None: this policy is about none of that kind."""
        partition, region, account = self._place()
        table = None
        if self.table is not None:
            table = (
                f"arn:{partition}:dynamodb:{self.region or region}:{self.account or account}:"
                f"table/{self.table}"
            )
        return {
            On.STREAM: self.stream_arn,
            On.TABLE: table,
            On.INDEX: f"{table}/index/{LEASE_INDEX}" if table else None,
            On.STREAM_KEY: self.stream_key,
            On.TABLE_KEY: self.table_key,
            On.ALL: "*",
        }[on]

    def condition(self, grant: Grant) -> dict[str, dict[str, str]] | None:
        """What else must hold, as the policy language says it."""
        partition, region, _ = self._place()
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        if grant.needs is Needs.METRICS and self.metrics is not None:
            return {"StringEquals": {"cloudwatch:namespace": self.metrics}}
        if grant.on is On.STREAM_KEY:
            return {"StringEquals": {"kms:ViaService": f"kinesis.{region}.{suffix}"}}
        if grant.on is On.TABLE_KEY:
            where = self.region or region
            return {"StringEquals": {"kms:ViaService": f"dynamodb.{where}.{suffix}"}}
        return None

    def _place(self) -> tuple[str, str, str]:
        found = _STREAM.fullmatch(self.stream_arn)
        assert found is not None
        return found["partition"], found["region"], found["account"]


_WORKER: Final = frozenset({Role.WORKER})
_PRODUCER: Final = frozenset({Role.PRODUCER})
_OPERATOR: Final = frozenset({Role.OPERATOR})
_LOOKERS: Final = frozenset({Role.OPERATOR, Role.READ_ONLY})
_READERS: Final = _WORKER | _LOOKERS

GRANTS: Final[tuple[Grant, ...]] = (
    Grant(
        sid="DescribeStream",
        roles=_READERS | _PRODUCER,
        actions=("kinesis:DescribeStreamSummary", "kinesis:ListShards"),
        on=On.STREAM,
        why="which stream it is, how large a record may be, which shards there are; a producer "
        "lists them only to aggregate or to keep a rate per shard",
    ),
    Grant(
        sid="ReadRecords",
        roles=_READERS,
        actions=("kinesis:GetRecords", "kinesis:GetShardIterator"),
        on=On.STREAM,
        why="a worker's records; `kcl tail` and `Reader` for the others",
    ),
    Grant(
        sid="PutRecords",
        roles=_PRODUCER,
        actions=("kinesis:PutRecords",),
        on=On.STREAM,
        why="all records are put by this call, one alone too",
    ),
    Grant(
        sid="ReadLeases",
        roles=_READERS,
        actions=("dynamodb:DescribeTable", "dynamodb:Scan"),
        on=On.TABLE,
        why="is it the table that it was; all leases and workers, by which a worker plans and "
        "`kcl leases` shows",
    ),
    Grant(
        sid="HoldLeases",
        roles=_WORKER,
        actions=(
            "dynamodb:BatchGetItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
        ),
        on=On.TABLE,
        why="conditional writes of leases, checkpoints and beats; rows read again after a write "
        "that got no answer; rows of forgotten shards and of dead workers taken away",
    ),
    Grant(
        sid="FindLeases",
        roles=_WORKER,
        actions=("dynamodb:Query",),
        on=On.INDEX,
        why="which leases name this worker as their owner",
    ),
    Grant(
        sid="CreateTable",
        roles=_WORKER,
        actions=("dynamodb:CreateTable",),
        on=On.TABLE,
        why="the first start, where nobody made the table beforehand",
        needs=Needs.CREATE_TABLE,
    ),
    Grant(
        sid="TagTable",
        roles=_WORKER,
        actions=("dynamodb:TagResource",),
        on=On.TABLE,
        why="DynamoDB asks for it when a table is created with tags",
        needs=Needs.TABLE_TAGS,
        by_service=True,
    ),
    Grant(
        sid="BackUpTable",
        roles=_WORKER,
        actions=("dynamodb:UpdateContinuousBackups",),
        on=On.TABLE,
        why="switches point-in-time recovery on for a new table",
        needs=Needs.TABLE_BACKUPS,
    ),
    Grant(
        sid="PutMetrics",
        roles=_WORKER,
        actions=("cloudwatch:PutMetricData",),
        on=On.ALL,
        why="this action knows no resources; the condition holds it to one namespace",
        needs=Needs.METRICS,
    ),
    Grant(
        sid="LookAtStream",
        roles=_LOOKERS,
        actions=("kinesis:ListStreamConsumers", "kinesis:ListTagsForStream"),
        on=On.STREAM,
        why="`kcl stream describe`, `consumers` and `tags`",
    ),
    Grant(
        sid="ListStreams",
        roles=_LOOKERS,
        actions=("kinesis:ListStreams",),
        on=On.ALL,
        why="`kcl stream list`; this action knows no resources",
    ),
    Grant(
        sid="ChangeStream",
        roles=_OPERATOR,
        actions=(
            "kinesis:AddTagsToStream",
            "kinesis:CreateStream",
            "kinesis:DecreaseStreamRetentionPeriod",
            "kinesis:DeleteStream",
            "kinesis:DisableEnhancedMonitoring",
            "kinesis:EnableEnhancedMonitoring",
            "kinesis:IncreaseStreamRetentionPeriod",
            "kinesis:MergeShards",
            "kinesis:RemoveTagsFromStream",
            "kinesis:SplitShard",
            "kinesis:StartStreamEncryption",
            "kinesis:StopStreamEncryption",
            "kinesis:UpdateShardCount",
            "kinesis:UpdateStreamMode",
        ),
        on=On.STREAM,
        why="`kcl stream create`, `split`, `merge`, `scale` and the others that change it; tags at "
        "creation need AddTagsToStream too",
    ),
    Grant(
        sid="DecryptRecords",
        roles=_READERS,
        actions=("kms:Decrypt",),
        on=On.STREAM_KEY,
        why="Kinesis decrypts records with the rights of whoever reads them",
        needs=Needs.STREAM_KEY,
        by_service=True,
    ),
    Grant(
        sid="EncryptRecords",
        roles=_PRODUCER,
        actions=("kms:GenerateDataKey",),
        on=On.STREAM_KEY,
        why="Kinesis encrypts records with the rights of whoever puts them",
        needs=Needs.STREAM_KEY,
        by_service=True,
    ),
    Grant(
        sid="UseTableKey",
        roles=_WORKER,
        actions=(
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        ),
        on=On.TABLE_KEY,
        why="what DynamoDB asks for with the rights of whoever uses a table with a key of its own",
        needs=Needs.TABLE_KEY,
        by_service=True,
    ),
    Grant(
        sid="ReadTableWithKey",
        roles=_LOOKERS,
        actions=("kms:Decrypt",),
        on=On.TABLE_KEY,
        why="as above, to read it",
        needs=Needs.TABLE_KEY,
        by_service=True,
    ),
)

_USES_TABLE: Final = MappingProxyType(
    {Role.WORKER: True, Role.PRODUCER: False, Role.OPERATOR: True, Role.READ_ONLY: True}
)


def grants_of(role: Role, scope: Scope | None = None) -> Iterable[Grant]:
    """What a role is given: with everything that it may need, or in this scope."""
    return (
        grant
        for grant in GRANTS
        if role in grant.roles and (scope is None or scope.gives(grant.needs))
    )


def policy(role: Role, scope: Scope) -> Mapping[str, Any]:
    """Make the policy document of a role.

    Raises:
        ConfigError: No lease table is named, and the role uses it.
    """
    if _USES_TABLE[role] and scope.table is None:
        raise ConfigError(f"the policy of {role} names the lease table; give --app NAME")
    return {
        "Version": VERSION,
        "Statement": [_statement(grant, scope) for grant in grants_of(role, scope)],
    }


def _statement(grant: Grant, scope: Scope) -> Mapping[str, Any]:
    arn = scope.arn(grant.on)
    assert arn is not None
    statement: dict[str, Any] = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": sorted(grant.actions),
        "Resource": arn,
    }
    condition = scope.condition(grant)
    return statement if condition is None else {**statement, "Condition": condition}
