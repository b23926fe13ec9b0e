"""Which pictures are made by the code? `python docs/make_pictures.py` draws them anew.

A test compares them with the code. `kcl top` shows a made-up application at a made-up moment. They
need nothing from outside: no font, no link.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

from fence_picture import fence_svg
from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.terminal_theme import MONOKAI
from rooms_picture import rooms_svg

from kcl_py.admin.lag import FROM_OLDEST, Place, ShardLag
from kcl_py.cli.looking.table_view import TableView
from kcl_py.cli.looking.top_picture import HISTORY_LOOKS, Looks, picture
from kcl_py.core.leases.rows import LeaseRow, Row, Sentinel, WorkerRow
from kcl_py.records import Position

FOLDER = Path(__file__).parent / "pictures"
COLUMNS = 120
WORKERS = (
    "ip-10-0-1-17-412-9f3a07c2b1d4",
    "ip-10-0-2-40-388-51c0e6a8f733",
    "ip-10-0-3-9-401-c2d40b7e915a",
)
OWNERS = (0, 0, 1, 1, 2, 2, 0, 1)
IN_HANDOFF, LATE, A_CHILD = 2, 3, 6
"""Which of the shards, counted from 0, are special."""

LAGS = (0.2, 0.4, 0.1, 74.0, 0.3, 12.5, 0.2, 0.1)


def shard(number: int) -> str:
    return f"shardId-{number:012}"


def rows_at(second: int) -> list[Row]:
    """The table of a fleet that works, at one second."""
    leases = [
        LeaseRow(
            key=shard(number + 1),
            counter=1_000 + second,
            checkpoint=Position(str(49_000 + (0 if number == LATE else second)), 0),
            owner=WORKERS[2] if number == IN_HANDOFF else WORKERS[owner],
            checkpoint_owner=WORKERS[1] if number == IN_HANDOFF else None,
            duration=10.0,
            parents=(shard(0),) if number == A_CHILD else (),
        )
        for number, owner in enumerate(OWNERS)
    ]
    finished = LeaseRow(key=shard(0), counter=7, checkpoint=Sentinel.SHARD_END, duration=10.0)
    workers = [WorkerRow(key=name, beat=100 + second, duration=10.0) for name in WORKERS]
    return [finished, *leases, *workers]


def lags_at(look: int) -> list[ShardLag]:
    """How far behind each shard was: some catch up, one falls back."""
    found = []
    for number, last in enumerate(LAGS):
        share = look / (HISTORY_LOOKS - 1)
        seconds = last * (share if number == LATE else 1 + 3 * (1 - share) * math.sin(number) ** 2)
        place = Place(shard_id=shard(number + 1), stage="begun", checkpoint="", start=FROM_OLDEST)
        found.append(ShardLag(place=place, seconds=seconds))
    return found


def top_svg() -> str:
    """`kcl top`, as a picture."""
    view, looks = TableView(), Looks()
    for look in range(HISTORY_LOOKS):
        looks.see_lags(lags_at(look))
    for second in range(3):
        view.look(float(second), rows_at(second))
        looks.see_checkpoints(float(second), view.lease_facts())
    # Its own file, so that nothing of the terminal that runs this gets into the picture.
    console = Console(
        file=io.StringIO(),
        record=True,
        width=COLUMNS,
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(picture("orders", view, looks, 3.4))
    bare = re.sub(r"@font-face \{\{.*?\}\}\n?", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    bare = re.sub(r"\n *<!--.*?-->", "", bare)
    return console.export_svg(
        title="kcl top --app orders", theme=MONOKAI, code_format=bare, unique_id="top"
    )


PICTURES = {"top.svg": top_svg, "fence.svg": fence_svg, "rooms.svg": rooms_svg}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
        print(f"drew {FOLDER.name}/{name}")
