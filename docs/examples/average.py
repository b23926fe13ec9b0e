"""Keep the sum of ages in a file for each shard, so that an average can be told at any time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from kcl_py import Batch, Position, RecordProcessor, ShardContext

FOLDER = Path("ages")


@dataclass
class User:
    name: str
    age: int
    gender: str


@dataclass
class Sums:
    worker: str = ""
    count: int = 0
    years: int = 0
    position: str = "0/0"  # up to here everybody is counted


class Average(RecordProcessor):
    def initialize(self, shard: ShardContext) -> None:
        FOLDER.mkdir(exist_ok=True)
        self.path = FOLDER / f"{shard.shard_id}.json"
        self.sums = Sums(**json.loads(self.path.read_text())) if self.path.exists() else Sums()
        self.sums.worker = shard.worker_id

    def process_records(self, batch: Batch) -> None:
        counted = Position.parse(self.sums.position)
        for record in batch:
            if record.position > counted:  # else it came a second time
                self.sums.count += 1
                self.sums.years += record.json(User).age
                self.sums.position = str(record.position)
        self.save()

    def save(self) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self.sums)))
        new.replace(self.path)  # whoever looks sees the old file or the new one, never half of one
