from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from kcl_py import Batch, Checkpointer, Checkpointing, RecordProcessor, ShardContext

FOLDER = Path("archive")
LINES_MAX = 100


class Archive(RecordProcessor):
    checkpointing: ClassVar[Checkpointing] = "explicit"  # returning does not mean finished
    idle_after: ClassVar[float | None] = 1.0  # an empty batch after a quiet second

    def initialize(self, shard: ShardContext) -> None:
        FOLDER.mkdir(exist_ok=True)
        self.path = FOLDER / f"{shard.shard_id}-{shard.fencing_token}.jsonl"
        self.lines: list[str] = []

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            self.lines.append(record.text() + "\n")
            if len(self.lines) >= LINES_MAX:
                self.flush(batch)  # up to and including this record
        if not batch:
            self.flush(batch)

    def shutdown_requested(self, shard: ShardContext) -> None:
        self.flush(shard)

    def shard_ended(self, shard: ShardContext) -> None:
        self.flush(shard)

    def flush(self, checkpointer: Checkpointer) -> None:
        with self.path.open("a") as file:
            file.writelines(self.lines)
        self.lines.clear()
        checkpointer.checkpoint()
