"""Which part of an item do some paths choose?"""

from __future__ import annotations

from typing import Any

from kcl_py.local.dynamo.evaluate import Names, resolve
from kcl_py.local.dynamo.syntax import Path
from kcl_py.local.dynamo.values import Item, Value


def project(item: Item, paths: tuple[Path, ...] | None, names: Names) -> Item:
    """The wanted parts of an item; a copy of all of it when none are named."""
    if paths is None:
        return dict(item)
    tree: dict[str | int, Any] = {}
    for path in paths:
        node = tree
        for part in resolve(path, names):
            node = node.setdefault(part, {})
    chosen = _choose({"M": item}, tree)
    return {} if chosen is None else dict(chosen["M"])


def _choose(value: Value, tree: dict[str | int, Any]) -> Value | None:
    """What the tree leaves of a value; None when that is nothing."""
    if not tree:
        return value
    if "M" in value:
        content = value["M"]
        picked = {
            name: _choose(content[name], inner)
            for name, inner in tree.items()
            if isinstance(name, str) and name in content
        }
        kept = {name: part for name, part in picked.items() if part is not None}
        return {"M": kept} if kept else None
    if "L" in value:
        elements = value["L"]
        indexes = sorted(part for part in tree if isinstance(part, int) and part < len(elements))
        parts = [_choose(elements[index], tree[index]) for index in indexes]
        left = [part for part in parts if part is not None]
        return {"L": left} if left else None
    return None
