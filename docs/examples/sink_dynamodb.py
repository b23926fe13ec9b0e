"""Every person counted exactly once in DynamoDB: token and position change with the counts."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from kcl_py import Batch, Checkpointing, LeaseLost, Position, RecordProcessor, ShardContext

TABLE = "people"
NAMES_MAX = 99  # a transaction has 100 items at most, and one is the progress


class DynamoCounts(RecordProcessor):
    # After an error there is a fresh object, which reads the position anew.
    checkpointing: ClassVar[Checkpointing] = "explicit"

    def __init__(self, dynamodb) -> None:
        self.dynamodb = dynamodb  # a client; all objects may share it

    def initialize(self, shard: ShardContext) -> None:
        self.shard_id, self.token = shard.shard_id, shard.fencing_token
        try:
            row = self.dynamodb.update_item(
                TableName=TABLE,
                Key={"id": {"S": f"progress/{self.shard_id}"}},
                UpdateExpression="SET fencing_token = :token, done = if_not_exists(done, :start)",
                ConditionExpression=(
                    "attribute_not_exists(fencing_token) OR fencing_token <= :token"
                ),
                ExpressionAttributeValues={
                    ":token": {"N": str(self.token)},
                    ":start": {"S": "0/0"},
                },
                ReturnValues="ALL_NEW",
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LeaseLost("a newer owner was here already") from error
        self.done = Position.parse(row["Attributes"]["done"]["S"])

    def process_records(self, batch: Batch) -> None:
        counts: Counter[str] = Counter()
        for record in batch:
            if record.position > self.done:
                counts[record.json()["name"]] += 1
            if len(counts) == NAMES_MAX:
                self.write(counts, record.position)
                counts.clear()
        if counts:
            self.write(counts, batch[-1].position)
        batch.checkpoint(wait=False)  # what the sink knows already may be told late

    def write(self, counts: Counter[str], last: Position) -> None:
        try:
            self.dynamodb.transact_write_items(
                TransactItems=[self.advance(last), *(self.add(*each) for each in counts.items())]
            )
        except self.dynamodb.exceptions.TransactionCanceledException as error:
            if error.response["CancellationReasons"][0]["Code"] == "ConditionalCheckFailed":
                raise LeaseLost("a newer owner has fenced us out") from error
            raise
        self.done = last

    def advance(self, last: Position) -> dict[str, object]:
        return {
            "Update": {
                "TableName": TABLE,
                "Key": {"id": {"S": f"progress/{self.shard_id}"}},
                "UpdateExpression": "SET done = :last",
                "ConditionExpression": "fencing_token = :token AND done = :done",
                "ExpressionAttributeValues": {
                    ":last": {"S": str(last)},
                    ":token": {"N": str(self.token)},
                    ":done": {"S": str(self.done)},
                },
            }
        }

    def add(self, name: str, count: int) -> dict[str, object]:
        return {
            "Update": {
                "TableName": TABLE,
                "Key": {"id": {"S": f"count/{self.shard_id}/{name}"}},
                "UpdateExpression": "ADD people :count",
                "ExpressionAttributeValues": {":count": {"N": str(count)}},
            }
        }

    def shard_ended(self, shard: ShardContext) -> None:
        shard.checkpoint()
