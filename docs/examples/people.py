from __future__ import annotations

from kcl_py import Batch, RecordProcessor


class Greeter(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        for record in batch:
            print(f"hello {record.json()['name']}", flush=True)
