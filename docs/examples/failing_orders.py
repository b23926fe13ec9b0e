"""Orders of which some cannot be booked, and what becomes of those."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from kcl_py import (
    Backoff,
    Batch,
    DeadLetter,
    OnError,
    RecordDecodeError,
    RecordFailed,
    RecordProcessor,
    Worker,
    WorkerConfig,
)
from kcl_py.dead_letters import JsonLinesDeadLetters, S3DeadLetters, SqsDeadLetters


@dataclass
class Order:
    id: int
    price: int


class Orders(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        for record in batch:
            try:
                self.book(record.json(Order))
            except (RecordDecodeError, ValueError) as error:
                raise RecordFailed(record) from error

    def book(self, order: Order) -> None:
        if order.price < 0:
            raise ValueError("a price below zero")


POLICY = OnError(
    attempts=5,
    then="dead_letter",
    dead_letters=JsonLinesDeadLetters("/var/lib/shop/dead.jsonl"),
    give_up_on=(RecordDecodeError,),
)

QUEUE = SqsDeadLetters(
    "https://sqs.eu-central-1.amazonaws.com/123456789012/shop-dead",
    large_to_s3="s3://shop-dead/large",
)
BUCKET = S3DeadLetters("s3://shop-dead/letters")

HURRIED = OnError(attempts=3, backoff=Backoff(first=0.1, longest=2.0), then="skip")


def to_our_own_place(letters: Sequence[DeadLetter]) -> None:
    for letter in letters:
        row = {
            "at": f"{letter.stream_arn}/{letter.shard_id}/{letter.record.position}",
            "error": letter.error_type,
            "data": letter.record.data.hex(),
        }
        sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()  # the letters are durable once this function returns


def main() -> None:
    config = WorkerConfig(on_error=POLICY)
    Worker(app_name="shop", stream="orders", processor=Orders, config=config).run()


if __name__ == "__main__":
    main()
