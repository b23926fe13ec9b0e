"""Where does a page go on after a checkpoint that may lie inside an aggregated record?"""

from __future__ import annotations

from collections.abc import Sequence

from kcl_py.aggregation.wire import MAGIC
from kcl_py.records import Position, Record


def records_after(records: Sequence[Record], checkpoint: Position) -> Sequence[Record]:
    """Leave out what a checkpoint covers: all records up to it, itself included.

    To resume inside an aggregated record, read AT its sequence number, open the page, and leave out
    what was finished.

    A record that could not be opened is delivered again if the checkpoint lies behind its first
    user record: whoever wrote that had opened it (with a higher limit, or with another library),
    and its rest is in there.

    Args:
        records: In order, after `deaggregate_page`.
        checkpoint: The last position that is finished.

    Returns:
        The very same `records` if all of them come after the checkpoint.
    """
    sequence_number, sub = checkpoint.sequence_number, checkpoint.sub_sequence_number
    count = 0
    for record in records:
        if record.sequence_number == sequence_number:
            if record.sub_sequence_number > sub:
                break
        elif record.position > checkpoint:
            break
        count += 1
    if count and sub > 0 and _is_packed(records[count - 1], sequence_number):
        count -= 1
    return records[count:] if count else records


def _is_packed(record: Record, sequence_number: str) -> bool:
    return (
        record.sequence_number == sequence_number
        and record.sub_sequence_number == 0
        and record.data.startswith(MAGIC)
    )
