"""How do shards descend from each other? As text, as a Mermaid graph, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcl_py.streams import ShardDescription

HASH_KEYS: Final = 1 << 128

COLUMN_WIDTH: Final = 190
BOX_WIDTH: Final = 150
PICTURE_HEIGHT: Final = 480
BOX_HEIGHT_MIN: Final = 14
MARGIN: Final = 20


class Family:
    """Shards with their parents and children; of what is listed, in that order."""

    def __init__(self, shards: Sequence[ShardDescription]) -> None:
        self.shards: Mapping[str, ShardDescription] = {shard.shard_id: shard for shard in shards}

    def parents_of(self, shard: ShardDescription) -> list[ShardDescription]:
        """Those that are listed."""
        return [self.shards[name] for name in shard.parent_shard_ids if name in self.shards]

    def children_of(self, shard: ShardDescription) -> list[ShardDescription]:
        """In the order of hash keys."""
        found = [
            other for other in self.shards.values() if shard.shard_id in other.parent_shard_ids
        ]
        return sorted(found, key=lambda child: child.starting_hash_key)

    def roots(self) -> list[ShardDescription]:
        """Those without a listed parent, in the order of hash keys."""
        found = [shard for shard in self.shards.values() if not self.parents_of(shard)]
        return sorted(found, key=lambda root: root.starting_hash_key)

    def generations(self) -> dict[str, int]:
        """How many steps each is from the first ones; parents are listed before children."""
        steps: dict[str, int] = {}
        for shard in self.shards.values():
            above = [steps.get(parent.shard_id, 0) for parent in self.parents_of(shard)]
            steps[shard.shard_id] = max(above, default=-1) + 1
        return steps


def share_of(shard: ShardDescription) -> float:
    """Which part of all hash keys it has, in percent."""
    return (shard.ending_hash_key - shard.starting_hash_key + 1) / HASH_KEYS * 100


def as_text(shards: Sequence[ShardDescription]) -> str:
    """A tree for each first shard; a merged shard stands under both of its parents."""
    family = Family(shards)
    shown: set[str] = set()
    lines: list[str] = []
    for root in family.roots():
        lines += _branch(family, root, "", "", shown)
    return "\n".join(lines) + "\n"


def _branch(
    family: Family, shard: ShardDescription, lead: str, below: str, shown: set[str]
) -> Iterator[str]:
    again = shard.shard_id in shown
    yield f"{lead}{_label(shard)}" + (" (as above)" if again else "")
    if again:
        return
    shown.add(shard.shard_id)
    children = family.children_of(shard)
    for number, child in enumerate(children):
        is_last = number == len(children) - 1
        first, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _branch(family, child, below + first, below + rest, shown)


def _label(shard: ShardDescription) -> str:
    kind = "merged" if len(shard.parent_shard_ids) > 1 else ""
    state = "open" if shard.is_open else "closed"
    return " ".join(filter(None, (shard.shard_id, state, f"{share_of(shard):.4g} %", kind)))


def as_mermaid(shards: Sequence[ShardDescription]) -> str:
    """A graph for a page that draws Mermaid."""
    names = {shard.shard_id: f"s{number}" for number, shard in enumerate(shards)}
    lines = ["flowchart LR"]
    for shard in shards:
        shape = ('["', '"]') if shard.is_open else ('("', '"):::closed')
        text = f"{shard.shard_id}<br/>{share_of(shard):.4g} %"
        lines.append(f"  {names[shard.shard_id]}{shape[0]}{text}{shape[1]}")
    for shard in shards:
        lines += [
            f"  {names[parent]} --> {names[shard.shard_id]}"
            for parent in shard.parent_shard_ids
            if parent in names
        ]
    lines.append("  classDef closed fill:#eee,stroke:#999,color:#666")
    return "\n".join(lines) + "\n"


def as_svg(shards: Sequence[ShardDescription]) -> str:
    """A picture: generations from left to right, hash keys from top to bottom."""
    family = Family(shards)
    steps = family.generations()
    width = (max(steps.values(), default=0) + 1) * COLUMN_WIDTH + MARGIN
    height = PICTURE_HEIGHT + 2 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="monospace" font-size="11">'
    )
    parts = [head]
    for shard in family.shards.values():
        parts += [_line(parent, shard, steps) for parent in family.parents_of(shard)]
    parts += [_box(shard, steps[shard.shard_id]) for shard in family.shards.values()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _y(hash_key: int) -> float:
    return MARGIN + hash_key / HASH_KEYS * PICTURE_HEIGHT


def _middle(shard: ShardDescription) -> float:
    return (_y(shard.starting_hash_key) + _y(shard.ending_hash_key)) / 2


def _line(parent: ShardDescription, child: ShardDescription, steps: Mapping[str, int]) -> str:
    start = MARGIN + steps[parent.shard_id] * COLUMN_WIDTH + BOX_WIDTH
    end = MARGIN + steps[child.shard_id] * COLUMN_WIDTH
    return (
        f'<path d="M{start} {_middle(parent):.1f} L{end} {_middle(child):.1f}" '
        'stroke="#999" fill="none"/>'
    )


def _box(shard: ShardDescription, step: int) -> str:
    left, middle = MARGIN + step * COLUMN_WIDTH, _middle(shard)
    height = max(BOX_HEIGHT_MIN, _y(shard.ending_hash_key) - _y(shard.starting_hash_key) - 4)
    fill = "#d8ecd8" if shard.is_open else "#eeeeee"
    return (
        f'<rect x="{left}" y="{middle - height / 2:.1f}" width="{BOX_WIDTH}" '
        f'height="{height:.1f}" rx="3" fill="{fill}" stroke="#999"/>'
        f'<text x="{left + 6}" y="{middle + 4:.1f}">{escape(shard.shard_id)}</text>'
    )
