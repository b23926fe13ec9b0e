"""What is a policy about: which stream, lease table, keys? And what is the ARN of each?

Source: the Service Authorization Reference, for the form of ARNs and the keys of conditions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kcl_py.errors import ConfigError

LEASE_INDEX: Final = "LeaseOwnerToLeaseKeyIndex"

_STREAM: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):kinesis:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"stream/[a-zA-Z0-9_.-]{1,128}"
)
JAVA_SUFFIX: Final = "-CoordinatorState"
"""Source: CoordinatorStateTableConfig of the Java KCL 3.0 to 3.4."""

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_QUEUE: Final = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_.-]+")
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+")


class On(StrEnum):
    """Which resource a grant names."""

    STREAM = "the stream"
    TABLE = "the lease table"
    INDEX = "the index of the lease table"
    JAVA_TABLE = "the table in which a Java KCL 3.0 to 3.4 of that name would keep its leader"
    STREAM_KEY = "the key of the stream"
    TABLE_KEY = "the key of the lease table"
    GROUP = "the Auto Scaling group"
    QUEUE = "the queue of dead letters"
    BUCKET = "the bucket of dead letters"
    LETTERS = "the dead letters in it"
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
    GROUP = "a lifecycle hook waits for drains: `--auto-scaling-group`"
    QUEUE = "dead letters go to SQS: `--letters ARN`"
    BUCKET = "dead letters go to S3: `--letters s3://...`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a policy is about.

    Attributes:
        stream_arn: The stream.
        table: Name of the lease table; None: nothing is said of leases (a producer).
        app: Name of the application; None: that of the lease table.
        account: Of the lease table; None: that of the stream.
        region: Of the lease table; None: that of the stream.
        create_table, table_tags, table_backups: As in `TableConfig`.
        stream_key, table_key: ARN of the key; None: none, or one that AWS owns.
        metrics: Namespace in CloudWatch; None: no metrics.
        group: Name of the Auto Scaling group, in the place of the lease table; None: none.
        letters_queue: ARN of a queue; None: no dead letters go there.
        letters_bucket: `bucket` or `bucket/prefix`; None: none go there.
    """

    stream_arn: str
    table: str | None = None
    app: str | None = None
    account: str | None = None
    region: str | None = None
    create_table: bool = True
    table_tags: bool = False
    table_backups: bool = False
    stream_key: str | None = None
    table_key: str | None = None
    metrics: str | None = None
    group: str | None = None
    letters_queue: str | None = None
    letters_bucket: str | None = None

    def __post_init__(self) -> None:
        if not _STREAM.fullmatch(self.stream_arn):
            raise ConfigError(
                f"{self.stream_arn[:200]!r} is no ARN of a stream; a policy needs "
                "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, as kcl stream describe shows it"
            )
        if self.account is not None and not _ACCOUNT.fullmatch(self.account):
            raise ConfigError(f"account = {self.account!r} is none; use its 12 digits")
        if self.letters_queue is not None and not _QUEUE.fullmatch(self.letters_queue):
            raise ConfigError(
                f"letters_queue = {self.letters_queue!r} is no ARN of a queue; use "
                "arn:aws:sqs:REGION:ACCOUNT:NAME"
            )
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
            Needs.GROUP: self.group is not None,
            Needs.QUEUE: self.letters_queue is not None,
            Needs.BUCKET: self.letters_bucket is not None,
        }[needs]

    def arn(self, on: On) -> str | None:
        """The ARN of a resource; None: this policy is about none of that kind."""
        partition, region, account = self._place()
        own = f"{self.region or region}:{self.account or account}"
        tables = f"arn:{partition}:dynamodb:{own}:table"
        table = f"{tables}/{self.table}" if self.table else None
        java = f"{tables}/{self.app or self.table}{JAVA_SUFFIX}" if self.table else None
        # The part that is left open is an id that the service makes up.
        group = f"arn:{partition}:autoscaling:{own}:autoScalingGroup:*"
        place = (self.letters_bucket or "").strip("/")
        bucket = f"arn:{partition}:s3:::{place.partition('/')[0]}" if place else None
        return {
            On.STREAM: self.stream_arn,
            On.TABLE: table,
            On.INDEX: f"{table}/index/{LEASE_INDEX}" if table else None,
            On.JAVA_TABLE: java,
            On.STREAM_KEY: self.stream_key,
            On.TABLE_KEY: self.table_key,
            On.GROUP: f"{group}:autoScalingGroupName/{self.group}" if self.group else None,
            On.QUEUE: self.letters_queue,
            On.BUCKET: bucket,
            On.LETTERS: f"arn:{partition}:s3:::{place}/*" if place else None,
            On.ALL: "*",
        }[on]

    def condition(self, on: On, needs: Needs) -> dict[str, dict[str, str]] | None:
        """What else must hold, as the policy language says it."""
        partition, region, _ = self._place()
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        if needs is Needs.METRICS and self.metrics is not None:
            return {"StringEquals": {"cloudwatch:namespace": self.metrics}}
        prefix = (self.letters_bucket or "").strip("/").partition("/")[2]
        if on is On.BUCKET and prefix:
            return {"StringLike": {"s3:prefix": f"{prefix}/*"}}
        if on is On.STREAM_KEY:
            return {"StringEquals": {"kms:ViaService": f"kinesis.{region}.{suffix}"}}
        if on is On.TABLE_KEY:
            where = self.region or region
            return {"StringEquals": {"kms:ViaService": f"dynamodb.{where}.{suffix}"}}
        return None

    def _place(self) -> tuple[str, str, str]:
        found = _STREAM.fullmatch(self.stream_arn)
        assert found is not None
        return found["partition"], found["region"], found["account"]
