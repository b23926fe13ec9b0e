"""Which user records are in a page? Whatever happens, nothing that was put gets lost in here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from kcl_py.aggregation.hash_keys import HASH_KEY_MAX, WHOLE_RANGE, StrayDetector
from kcl_py.aggregation.message import read_user_records
from kcl_py.aggregation.unopened import Unopened, UnopenedError, WhyUnopened
from kcl_py.aggregation.wire import DIGEST_BYTES, FRAME_BYTES, MAGIC
from kcl_py.errors import ConfigError
from kcl_py.records import Position, Record

_RECORD_BYTES_MAX: Final = 10_485_760  # Source: PutRecordsRequestEntry, "maximum record size".
_USER_RECORD_BYTES_MIN: Final = 6  # Tag and size, tag and index of a key, tag and size of no data.

USER_RECORDS_MAX: Final = _RECORD_BYTES_MAX // _USER_RECORD_BYTES_MIN
"""As many as the largest record of the service has room for, so that every honest record opens.

A record that is made to hurt grows in memory to about 20 bytes for each byte that it has. Who
cannot spend 200 MB on a record of 10 MiB sets a lower limit: a KPL with its default settings makes
records of 51,200 bytes at most, which is 8,533 user records.
"""

StrayPolicy: TypeAlias = Literal["deliver", "drop"]
"""What to do with a user record outside of the shard's range of hash keys.

deliver: Hand it over like all others, and count it. Nobody else will: it is in this record only.
drop: Leave it out, and count it; its neighbours are delivered. Right only if the producer notices
    and sends it again. The KPL does, and since version 0.15.11 sends nothing but the strays. With a
    producer that looks at no answer it is lost.

Source: `succeed_if_correct_shard` in the KPL's retrier.cc; `AggregatorUtil` of the Java KCL, which
drops the whole aggregated record for one stray.
"""


@dataclass(frozen=True, slots=True)
class Deaggregated:
    """User records, and what there is to tell.

    Attributes:
        records: In order. Positions inside one aggregated record are `sub_sequence_number` 0, 1, 2,
            ...; those of dropped ones are missing, so a number always means the same user record.
        opened_count: Aggregated records that were opened.
        unopened: What looks aggregated and was delivered as it is.
        stray_count: User records outside of the range, delivered or dropped.
        dropped_count: Those of them that are not in `records`.
        first_stray: Where the first of them is, or was.
    """

    records: Sequence[Record]
    opened_count: int = 0
    unopened: tuple[Unopened, ...] = ()
    stray_count: int = 0
    dropped_count: int = 0
    first_stray: Position | None = None


def deaggregate(
    record: Record,
    *,
    hash_range: tuple[int, int] | None = None,
    strays: StrayPolicy = "deliver",
    user_records_max: int = USER_RECORDS_MAX,
) -> Deaggregated:
    """Open one record, if it is aggregated; as `deaggregate_page` of that record alone."""
    return deaggregate_page(
        (record,), hash_range=hash_range, strays=strays, user_records_max=user_records_max
    )


def deaggregate_page(
    records: Sequence[Record],
    *,
    hash_range: tuple[int, int] | None = None,
    strays: StrayPolicy = "deliver",
    user_records_max: int = USER_RECORDS_MAX,
) -> Deaggregated:
    """Open the aggregated records of a page.

    User records inherit sequence number and arrival time, have the partition key and explicit hash
    key that they were put with, and are not opened once more. Tags have no place in a `Record`;
    they are checked and left out, as in every KCL ("not yet implemented", says the format).

    Work and memory are linear in the size of the page, whatever is in it.

    Args:
        records: As the service gave them; none of them opened before.
        hash_range: The shard's, inclusive. None: strays are neither counted nor dropped, and no
            key is hashed.
        strays: What to do with user records outside of `hash_range`.
        user_records_max: Of one record; also the most keys in each of its tables. What has more is
            delivered as it is.

    Returns:
        With the very same `records` if none was opened. With "drop" there may be none left.

    Raises:
        ConfigError: An argument is wrong. Records never raise.
    """
    _check(hash_range, strays, user_records_max)
    # What begins with it is not less; a comparison takes half the time of `startswith`.
    suspects = [record for record in records if record.data >= MAGIC]
    if not any(record.data.startswith(MAGIC) for record in suspects):
        return Deaggregated(records)
    detector = None
    if hash_range is not None and hash_range != WHOLE_RANGE:
        detector = StrayDetector(hash_range)
    return _open_page(records, detector, strays, user_records_max)


def _check(hash_range: tuple[int, int] | None, strays: str, user_records_max: int) -> None:
    if strays not in ("deliver", "drop"):
        raise ConfigError(f"strays = {strays!r} is unknown; use 'deliver' or 'drop'")
    if user_records_max < 1:
        raise ConfigError(f"user_records_max = {user_records_max!r} is not allowed; use 1 or more")
    if hash_range is not None and not 0 <= hash_range[0] <= hash_range[1] <= HASH_KEY_MAX:
        raise ConfigError(
            f"hash_range = {hash_range!r} is no range; use the first and the last hash key"
        )


def _open_page(
    records: Sequence[Record],
    detector: StrayDetector | None,
    strays: StrayPolicy,
    user_records_max: int,
) -> Deaggregated:
    flat: list[Record] = []
    unopened: list[Unopened] = []
    opened_count = stray_count = dropped_count = 0
    first_stray: Position | None = None
    for record in records:
        if not record.data.startswith(MAGIC):
            flat.append(record)
            continue
        try:
            user_records = _open(record, user_records_max)
        except UnopenedError as error:
            flat.append(record)
            unopened.append(Unopened(record.sequence_number, error.why))
            continue
        opened_count += 1
        if detector is not None:
            # Only here: the service never tells the explicit hash key of a record of its own.
            lost = detector.strays(user_records)
            if lost:
                first_stray = first_stray or lost[0].position
                stray_count += len(lost)
            if lost and strays == "drop":
                dropped_count += len(lost)
                places = {each.sub_sequence_number for each in lost}
                user_records = [r for r in user_records if r.sub_sequence_number not in places]
        flat += user_records
    return Deaggregated(
        records=flat if opened_count else records,
        opened_count=opened_count,
        unopened=tuple(unopened),
        stray_count=stray_count,
        dropped_count=dropped_count,
        first_stray=first_stray,
    )


def _open(record: Record, user_records_max: int) -> list[Record]:
    blob = record.data
    if len(blob) <= FRAME_BYTES:
        raise UnopenedError(WhyUnopened.TOO_SHORT)
    message = memoryview(blob)[len(MAGIC) : -DIGEST_BYTES]
    if hashlib.md5(message, usedforsecurity=False).digest() != blob[-DIGEST_BYTES:]:
        raise UnopenedError(WhyUnopened.WRONG_DIGEST)
    return read_user_records(record, user_records_max=user_records_max)
