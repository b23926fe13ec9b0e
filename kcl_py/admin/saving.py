"""How are checkpoints kept in a file, and what becomes of each lease when they are put back?

A lease gets the place that the file has for it. Shards that came since then, and descend from a
shard that is put back, begin at their oldest record: what is behind the saved places comes again,
and nothing is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kcl_py.admin.resetting import Change, Reset
from kcl_py.admin.troubles import Unsafe
from kcl_py.core.leases.repairs import Anew
from kcl_py.core.leases.rows import ApplicationRow, Checkpoint, LeaseRow, Sentinel
from kcl_py.core.shards.graph import Lineage
from kcl_py.errors import ConfigError
from kcl_py.records import Position

if TYPE_CHECKING:
    from kcl_py.core.shards.graph import Shard

FORMAT_NAME: Final = "kcl_py checkpoints"
FORMAT: Final = f"{FORMAT_NAME} 1"
TIME_MAX: Final = 253_402_300_800.0
"""The year 10000, unix seconds; beyond it is no time that anybody meant."""

PROBLEM_LENGTH_MAX: Final = 200
CREATED_AT_SLACK: Final = 1.0
"""Seconds; as a worker compares the creation time of its stream."""

FROM_OLDEST: Final = Anew(checkpoint=Sentinel.TRIM_HORIZON)


@dataclass(frozen=True, slots=True)
class Saved:
    """One lease in a file."""

    key: str
    checkpoint: Checkpoint
    start_at: float | None


@dataclass(frozen=True, slots=True)
class SavedFile:
    """What a file says.

    Attributes:
        stream_created_at: Unix seconds; tells the stream from one of the same name.
    """

    app: str
    stream_arn: str
    stream_created_at: float
    leases: Mapping[str, Saved]


def to_document(
    app: str, application: ApplicationRow, rows: Mapping[str, LeaseRow], exported_at: str
) -> dict[str, Any]:
    """Return what is written into a file, JSON-ready.

    Args:
        app: Name of the application.
        application: Its stream.
        rows: All leases.
        exported_at: A time for people.
    """
    return {
        "format": FORMAT,
        "app": app,
        "stream_arn": application.stream_arn,
        "stream_created_at": application.stream_created_at,
        "exported_at": exported_at,
        "leases": [
            {
                "lease_key": row.key,
                "checkpoint": str(row.checkpoint),
                "start_at": row.start_at,
                "parents": list(row.parents),
            }
            for _, row in sorted(rows.items())
        ],
    }


def read_document(name: str, text: str) -> SavedFile:
    """Read a file.

    Raises:
        ConfigError: It is none of ours; the message says what is wrong.
    """
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{name} is no JSON ({error}); if it was cut off, export it anew or take another copy"
        ) from None
    _check_format(name, found.get("format") if isinstance(found, dict) else None)
    try:
        return SavedFile(
            app=_text(found, "app"),
            stream_arn=_text(found, "stream_arn"),
            stream_created_at=_time(found["stream_created_at"]),
            leases=_by_key(_saved(each) for each in found["leases"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        said = f"{type(error).__name__} {error}"[:PROBLEM_LENGTH_MAX]
        raise ConfigError(
            f"{name} is damaged: {said}; export it anew, or take another copy"
        ) from None


def _check_format(name: str, found: object) -> None:
    if found == FORMAT:
        return
    if isinstance(found, str) and found.startswith(FORMAT_NAME):
        raise ConfigError(
            f"{name} is of the format {found[:PROBLEM_LENGTH_MAX]!r}, this kcl_py reads "
            f"{FORMAT!r}; use the version that wrote it, or a newer one"
        )
    raise ConfigError(f"{name} is no file of kcl checkpoint export (format {FORMAT!r})")


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _by_key(leases: Iterable[Saved]) -> dict[str, Saved]:
    found: dict[str, Saved] = {}
    for lease in leases:
        if lease.key in found:
            raise ValueError(f"the lease {lease.key} is there twice")
        found[lease.key] = lease
    return found


def _saved(each: Mapping[str, Any]) -> Saved:
    text, start_at = _text(each, "checkpoint"), each["start_at"]
    is_sentinel = text in list(Sentinel)
    checkpoint: Checkpoint = Sentinel(text) if is_sentinel else Position.parse(text)
    if checkpoint is Sentinel.AT_TIMESTAMP and start_at is None:
        raise ValueError("AT_TIMESTAMP without a start_at")
    key = _text(each, "lease_key")
    return Saved(key, checkpoint, None if start_at is None else _time(start_at))


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is no text")
    return value


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")  # noqa: TRY004 - as what else is damaged
    if not math.isfinite(value) or not 0 <= value < TIME_MAX:
        raise ValueError(f"{value!r} is no time in unix seconds")
    return float(value)


def check_same_stream(name: str, saved: SavedFile, application: ApplicationRow) -> None:
    """Refuse the checkpoints of another stream.

    Raises:
        Unsafe: They mean nothing here.
    """
    if saved.stream_arn != application.stream_arn:
        raise Unsafe(
            f"{name} is of the stream {saved.stream_arn}, this application reads "
            f"{application.stream_arn}; its checkpoints mean nothing here"
        )
    if abs(saved.stream_created_at - application.stream_created_at) > CREATED_AT_SLACK:
        raise Unsafe(
            f"the stream was deleted and created again since {name} was written; its checkpoints "
            "mean nothing here"
        )


def plan_import(
    saved: Mapping[str, Saved],
    rows: Mapping[str, LeaseRow],
    listed: Collection[Shard],
) -> Reset:
    """Decide what becomes of each lease.

    Args:
        saved: What the file has.
        rows: All leases, of a complete consistent scan.
        listed: All shards of the stream, of a listing that began after the scan.
    """
    coming = {key for key, row in rows.items() if not row.is_finished}
    changes: list[Change] = []
    put_back: set[str] = set()
    kept = dict.fromkeys(rows, "the stream has forgotten this shard")
    for shard in Lineage(listed).in_order():
        key, row = shard.shard_id, rows.get(shard.shard_id)
        follows = not coming.isdisjoint(shard.parents)
        anew = _place(saved.get(key), is_behind=not put_back.isdisjoint(shard.parents))
        if anew is None:
            kept[key] = _why_kept(saved.get(key), row)
            if row is None:
                del kept[key]
        else:
            root = Anew(checkpoint=anew.checkpoint, start_at=anew.start_at, root=not follows)
            changes.append(Change(key, row, root, shard if row is None else None))
            put_back.add(key)
            kept.pop(key, None)
        if anew is not None or (row is None and follows):
            coming.add(key)
    return Reset(tuple(changes), kept)


def _place(saved: Saved | None, *, is_behind: bool) -> Anew | None:
    """Return where a shard begins; None: it stays as it is."""
    if saved is None:
        return FROM_OLDEST if is_behind else None
    if saved.checkpoint is Sentinel.SHARD_END:
        return None
    return Anew(checkpoint=saved.checkpoint, start_at=saved.start_at)


def _why_kept(saved: Saved | None, row: LeaseRow | None) -> str:
    if saved is None:
        return "not in the file, and no shard of it leads here"
    if row is not None and not row.is_finished:
        return "finished in the file, but read again since; nothing of it is skipped"
    return "finished"
