"""Every line exactly once in S3: objects are numbered, and each number is written once."""

from __future__ import annotations

from typing import ClassVar

from botocore.exceptions import ClientError
from kcl_py import (
    Batch,
    Checkpointer,
    Checkpointing,
    LeaseLost,
    Position,
    RecordProcessor,
    ShardContext,
)

LINES_MAX = 1000
NUMBERS = 10**12


class S3Parts(RecordProcessor):
    checkpointing: ClassVar[Checkpointing] = "explicit"  # a buffer that outlives a batch
    idle_after: ClassVar[float | None] = 5.0

    def __init__(self, s3, bucket: str) -> None:
        self.s3 = s3  # a client; all objects may share it
        self.bucket = bucket

    def initialize(self, shard: ShardContext) -> None:
        self.folder, self.token = f"people/{shard.shard_id}/", shard.fencing_token
        self.lines: list[str] = []
        self.number, token, self.done = self.newest()
        if token > self.token:
            raise LeaseLost("a newer owner was here already")
        self.write("", self.done)  # an empty part: nobody who is older gets a number from now on

    def newest(self) -> tuple[int, int, Position]:
        # Names count down, because S3 lists the smallest first.
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.folder, MaxKeys=1)
        if found["KeyCount"] == 0:
            return 0, 0, Position.parse("0/0")
        key = found["Contents"][0]["Key"]
        tags = self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        number = NUMBERS - int(key.removeprefix(self.folder))
        return number, int(tags["token"]), Position.parse(tags["position"])

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            if record.position > self.done:
                self.lines.append(record.text() + "\n")
                self.last = record.position
            if len(self.lines) == LINES_MAX:
                self.flush(batch)
        if not batch:
            self.flush(batch)  # a quiet shard

    def shutdown_requested(self, shard: ShardContext) -> None:
        self.flush(shard)

    def shard_ended(self, shard: ShardContext) -> None:
        self.flush(shard)

    def flush(self, checkpointer: Checkpointer) -> None:
        if self.lines:
            self.write("".join(self.lines), self.last)
            self.lines.clear()
        checkpointer.checkpoint()

    def write(self, text: str, last: Position) -> None:
        number = self.number + 1
        key = f"{self.folder}{NUMBERS - number:012}"
        tags = {"token": str(self.token), "position": str(last)}
        try:
            self.s3.put_object(
                Bucket=self.bucket, Key=key, Body=text.encode(), Metadata=tags, IfNoneMatch="*"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise  # also a 409: somebody writes this key at this moment
            there = self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
            if there != tags:  # else it is ours: the answer to an earlier try got lost
                raise LeaseLost("another owner has written that number") from error
        self.number, self.done = number, last
