"""What do the workers under test run?

Processors as plain as can be; the audit log tells the rest.
"""

from __future__ import annotations

from kcl_py import Batch, RecordProcessor


class Reader(RecordProcessor):
    """Looks at every record."""

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            _ = record.sequence_number
