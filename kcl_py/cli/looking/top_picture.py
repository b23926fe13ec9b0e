"""What does `kcl top` draw? Values in, a picture out; `top.py` does the looking."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kcl_py._words import counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from kcl_py.admin.lag import ShardLag
    from kcl_py.cli.looking.table_view import TableView

HISTORY_LOOKS: Final = 20
"""How many lags of a shard are remembered, and drawn as a line of blocks."""

SHARDS_DRAWN_MAX: Final = 40
"""More do not fit on a screen; those that are furthest behind are drawn."""

BLOCKS: Final = "▁▂▃▄▅▆▇█"
NAME_LENGTH_MAX: Final = 16

_RANDOM: Final = re.compile(r"-[0-9a-f]{12}$")
"""End of a worker id. Source: `shell/identity.py`."""

_NO_CHECKPOINTS: Final = frozenset({"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"})

BUSY_SECONDS: Final = 10.0
LATE_SECONDS: Final = 60.0
"""Lags from which a shard is yellow, and red."""

_COLORS: Final[Mapping[str, str]] = {
    "owned": "green",
    "live": "green",
    "dead": "red",
    "paused": "red",
    "ownerless": "yellow",
    "offered": "yellow",
    "handoff": "yellow",
    "leaving": "yellow",
    "unknown": "yellow",
}


@dataclass(slots=True)
class Looks:
    """What was seen so far, of the shards of one application.

    Attributes:
        lags: By shard, of the last look; None: not known.
        history: Lags of each shard, the oldest first.
        moved_at: When the checkpoint of a shard was last seen to change, on the clock of the looks.
        seen_at: When it was first seen.
        trouble: Why the last look brought nothing new; None: it did.
    """

    lags: dict[str, float | None] = field(default_factory=dict)
    history: dict[str, deque[float]] = field(default_factory=dict)
    moved_at: dict[str, float] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    trouble: str | None = None
    _checkpoints: dict[str, object] = field(default_factory=dict)

    def see_lags(self, lags: Iterable[ShardLag]) -> None:
        """Take in how far behind each shard is."""
        self.lags = {lag.place.shard_id: lag.seconds for lag in lags}
        for shard, seconds in self.lags.items():
            if seconds is not None:
                line = self.history.setdefault(shard, deque(maxlen=HISTORY_LOOKS))
                line.append(seconds)
        for shard in self.history.keys() - self.lags.keys():
            del self.history[shard]

    def see_checkpoints(self, now: float, leases: Sequence[Mapping[str, Any]]) -> None:
        """Take in where each checkpoint is."""
        for row in leases:
            shard, checkpoint = row["lease_key"], row["checkpoint"]
            self.seen_at.setdefault(shard, now)
            if self._checkpoints.get(shard, checkpoint) != checkpoint:
                self.moved_at[shard] = now
            self._checkpoints[shard] = checkpoint

    @property
    def longest(self) -> float | None:
        """The longest lag that is known, seconds."""
        return max((lag for lag in self.lags.values() if lag is not None), default=None)


def picture(app: str, view: TableView, looks: Looks, now: float) -> Group:
    """Draw it all: a line about the application, its workers, its shards."""
    from rich.console import Group

    leases, workers = view.lease_facts(), view.worker_facts()
    looks.see_checkpoints(now, leases)
    return Group(
        _heading(app, leases, workers, looks),
        "",
        _workers(leases, workers, looks),
        "",
        _shards(leases, looks, now),
    )


def blocks(values: Sequence[float]) -> str:
    """A line of blocks, the highest for the largest value; nothing is as high as a second."""
    highest = max([*values, 1.0])
    last = len(BLOCKS) - 1
    return "".join(BLOCKS[round(value / highest * last)] for value in values)


def duration(seconds: float | None) -> str:
    """Seconds as people read them."""
    if seconds is None:
        return "?"
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f} s"
    if seconds < 3600:  # noqa: PLR2004 - seconds of an hour
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def _heading(
    app: str,
    leases: Sequence[Mapping[str, Any]],
    workers: Sequence[Mapping[str, Any]],
    looks: Looks,
) -> Text:
    from rich.text import Text

    live = sum(row["live"] == "live" for row in workers)
    finished = sum(row["state"] == "finished" for row in leases)
    text = Text(f"{app}   ", style="bold")
    text.append(f"{counted(live, 'worker')}   ", style="green" if live else "red")
    shards = counted(len(leases) - finished, "shard")
    text.append(f"{shards}, {finished} finished   ", style="not bold")
    text.append(f"lag {duration(looks.longest)}", style=_lag_color(looks.longest))
    if looks.trouble is not None:
        text.append(f"\nnothing new: {looks.trouble}", style="red")
    return text


def _workers(
    leases: Sequence[Mapping[str, Any]], workers: Sequence[Mapping[str, Any]], looks: Looks
) -> Table:
    table = _table("worker", "state", "leases", "lag")
    most = max((row["leases"] for row in workers), default=0)
    for row in workers:
        own = [lease["lease_key"] for lease in leases if lease["owner"] == row["worker"]]
        known = [lag for key in own if (lag := looks.lags.get(key)) is not None]
        state = row["state"] if row["live"] == "live" else row["live"]
        table.add_row(
            _short(row["worker"]),
            _colored("live" if state == "running" else state, state),
            f"{row['leases']:>3} {'█' * round(row['leases'] / max(most, 1) * 20)}",
            _lag(max(known, default=None)),
        )
    return table


def _shards(leases: Sequence[Mapping[str, Any]], looks: Looks, now: float) -> Table:
    table = _table("shard", "state", "owner", "lag", "lately", "checkpoint")
    shown = sorted(
        (row for row in leases if row["state"] != "finished"),
        key=lambda row: (-(looks.lags.get(row["lease_key"]) or 0.0), row["lease_key"]),
    )
    for row in sorted(shown[:SHARDS_DRAWN_MAX], key=lambda row: str(row["lease_key"])):
        key = row["lease_key"]
        table.add_row(
            key,
            _colored(row["state"], row["state"].replace("waiting for parents", "waits")),
            _owner(row),
            _lag(looks.lags.get(key)),
            blocks(list(looks.history.get(key, ()))),
            _checkpointed(row, looks, now),
        )
    if len(shown) > SHARDS_DRAWN_MAX:
        table.add_row(f"and {len(shown) - SHARDS_DRAWN_MAX} more, less behind")
    return table


def _checkpointed(row: Mapping[str, Any], looks: Looks, now: float) -> str:
    """How long ago a checkpoint changed; at least so long if that was not seen."""
    if row["checkpoint"] in _NO_CHECKPOINTS:
        return "none yet"
    moved = looks.moved_at.get(row["lease_key"])
    if moved is not None:
        return f"{duration(now - moved)} ago"
    return f"over {duration(now - looks.seen_at.get(row['lease_key'], now))} ago"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column == "lag" else "left", no_wrap=True)
    return table


def _colored(name: str, text: str) -> Text:
    from rich.text import Text

    return Text(text, style=_COLORS.get(name, ""))


def _lag(seconds: float | None) -> Text:
    from rich.text import Text

    return Text(duration(seconds), style=_lag_color(seconds))


def _lag_color(seconds: float | None) -> str:
    if seconds is None or seconds < BUSY_SECONDS:
        return "" if seconds is None else "green"
    return "yellow" if seconds < LATE_SECONDS else "red"


def _owner(row: Mapping[str, Any]) -> str:
    if not row["handoff"]:
        return _short(row["owner"])
    return f"{_short(row['owner'])} → {_short(row['handoff'].removeprefix('to '))}"


def _short(name: str | None) -> str:
    """Host and process of a worker id; what follows is only there to be unique."""
    if name is None:
        return "nobody"
    readable = _RANDOM.sub("", name)
    if len(readable) <= NAME_LENGTH_MAX:
        return readable
    return f"…{readable[1 - NAME_LENGTH_MAX :]}"
