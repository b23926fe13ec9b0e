"""Who may do what, on which resource, and why? The one table that all policies are made of.

`tests/iam` shows that what the code calls is what it allows, and no more. Sources: the Service
Authorization Reference for which resource an action takes; the descriptions of CreateStream and
CreateTable for the permissions that tags need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kcl_py.iam.scope import Needs, On, Scope


class Role(StrEnum):
    """Whom a policy is for."""

    WORKER = "worker"
    PRODUCER = "producer"
    OPERATOR = "operator"
    READ_ONLY = "read-only"


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
        sid="FindJava",
        roles=_WORKER,
        actions=("dynamodb:DescribeTable",),
        on=On.JAVA_TABLE,
        why="a worker refuses to start beside a Java KCL; there is no such table otherwise",
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
        sid="RepairLeases",
        roles=_OPERATOR,
        actions=(
            "dynamodb:BatchGetItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
        ),
        on=On.TABLE,
        why="`kcl leases pause`, `resume`, `release`, `gc`, `kcl checkpoint reset` and `import`: "
        "conditional writes, and a row read again after one that got no answer",
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
        sid="HoldHook",
        roles=_WORKER,
        actions=(
            "autoscaling:CompleteLifecycleAction",
            "autoscaling:RecordLifecycleActionHeartbeat",
        ),
        on=On.GROUP,
        why="keeps the hook waiting while an instance drains, and tells it when that is over",
        needs=Needs.GROUP,
    ),
    Grant(
        sid="QueueLetters",
        roles=_WORKER,
        actions=("sqs:SendMessage",),
        on=On.QUEUE,
        why="records that are given up",
        needs=Needs.QUEUE,
    ),
    Grant(
        sid="StoreLetters",
        roles=_WORKER,
        actions=("s3:PutObject",),
        on=On.LETTERS,
        why="records that are given up, or the large ones that no queue takes",
        needs=Needs.BUCKET,
    ),
    Grant(
        sid="ReadQueue",
        roles=_LOOKERS,
        actions=("sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"),
        on=On.QUEUE,
        why="`kcl dlq list` and `show`: a look hides a message for a while",
        needs=Needs.QUEUE,
    ),
    Grant(
        sid="FindLetters",
        roles=_LOOKERS,
        actions=("s3:ListBucket",),
        on=On.BUCKET,
        why="`kcl dlq list`; what ListObjectsV2 asks for",
        needs=Needs.BUCKET,
    ),
    Grant(
        sid="ReadLetters",
        roles=_LOOKERS,
        actions=("s3:GetObject",),
        on=On.LETTERS,
        why="`kcl dlq show`",
        needs=Needs.BUCKET,
    ),
    Grant(
        sid="EmptyQueue",
        roles=_OPERATOR,
        actions=("sqs:DeleteMessage",),
        on=On.QUEUE,
        why="`kcl dlq redrive`; to put records it needs the role of a producer too",
        needs=Needs.QUEUE,
    ),
    Grant(
        sid="RemoveLetters",
        roles=_OPERATOR,
        actions=("s3:DeleteObject",),
        on=On.LETTERS,
        why="as above",
        needs=Needs.BUCKET,
    ),
    Grant(
        sid="LookAtStream",
        roles=_LOOKERS,
        actions=("kinesis:ListStreamConsumers", "kinesis:ListTagsForStream"),
        on=On.STREAM,
        why="`kcl stream describe`, `consumers` and `tags`",
    ),
    Grant(
        sid="KnowLimits",
        roles=_LOOKERS,
        actions=("kinesis:DescribeLimits",),
        on=On.ALL,
        why="`kcl doctor` warns before the account runs out of shards, and does without it too; "
        "this action knows no resources",
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


def grants_of(role: Role, scope: Scope | None = None) -> Iterable[Grant]:
    """What a role is given: with everything that it may need, or in this scope."""
    return (
        grant
        for grant in GRANTS
        if role in grant.roles and (scope is None or scope.gives(grant.needs))
    )
