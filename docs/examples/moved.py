"""What a processor of amazon_kclpy looks like once it has moved; `kcl run moved:Printer`."""

from __future__ import annotations

import time
from typing import ClassVar

from kcl_py import Batch, Checkpointing, RecordProcessor, ShardContext

CHECKPOINT_SECONDS = 60.0


class Printer(RecordProcessor):
    checkpointing: ClassVar[Checkpointing] = "explicit"  # as there: only what is checkpointed

    def initialize(self, shard: ShardContext) -> None:
        self.shard_id = shard.shard_id
        self.checkpointed_at = time.monotonic()

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            print(record.partition_key, record.text(), flush=True)  # stdout is yours
        if time.monotonic() - self.checkpointed_at > CHECKPOINT_SECONDS:
            batch.checkpoint(wait=False)  # rides on the next renewal of the lease
            self.checkpointed_at = time.monotonic()

    def shutdown_requested(self, shard: ShardContext) -> None:
        shard.checkpoint()

    def shard_ended(self, shard: ShardContext) -> None:
        shard.checkpoint()
