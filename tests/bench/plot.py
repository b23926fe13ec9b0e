"""What does reading cost at every size of record, in one picture?

    python -m tests.bench read --json > figures.json
    python -m tests.bench.plot figures.json reading.svg

An SVG without a background, in colours that can be read on white and on black.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from tests.bench.figures import short
from tests.bench.read import NAMES, SIZES, UNIT, WIRELESS

WIDTH: Final = 960
HEIGHT: Final = 520
LEFT: Final = 70
RIGHT: Final = 550
"""Where curves end; what is to the right of it names them."""

TOP: Final = 76
BOTTOM: Final = 462
LINE_HEIGHT: Final = 19
"""Least distance of two names, pixels."""

INK: Final = "#737b85"
"""Contrast of more than 4 to 1 both on white and on GitHub's dark background; so have COLOURS."""

COLOURS: Final = {
    "worker": "#d1580f",
    "fetch": "#b06d18",
    "hook": "#2f81c9",
    "boto3": "#7c6fd1",
    "async-kinesis": "#c9498f",
    "decode": "#8a7a2b",
    "orjson": "#3a8a4d",
    "kclpy": "#128a94",
}
TICKS: Final = tuple(digit * 10.0**power for power in range(-3, 6) for digit in (1, 3))
"""Of the vertical axis, microseconds."""

MEASURED: Final = re.compile(r"(?P<size>[^,:]+)(?:, (?P<wire>\w+))?: (?P<name>.+)")

Curve = dict[int, float]
"""Microseconds of CPU for each record of so many bytes."""


def curves(found: Mapping[str, Any]) -> tuple[str, dict[str, Curve]]:
    """Return the curve of every contender: over TLS if that was measured, else over plain HTTP.

    Args:
        found: What `python -m tests.bench read --json` printed.
    """
    figures = [
        (match, figure["median"])
        for report in found["reports"]
        if report["name"] == "read"
        for figure in report["figures"]
        if figure["unit"] == UNIT and (match := MEASURED.fullmatch(figure["what"]))
    ]
    wires = {match["wire"] for match, _ in figures}
    wire = "TLS" if "TLS" in wires else "plain"
    bytes_of = {size.name: size.record_bytes for size in SIZES}
    names = {what: name for name, what in NAMES.items()}
    drawn: dict[str, Curve] = defaultdict(dict)
    for match, median in figures:
        if match["wire"] in {None, wire}:
            # Seconds for a million records are microseconds for one.
            drawn[names[match["name"]]][bytes_of[match["size"]]] = median
    return {"TLS": "TLS", "plain": "plain HTTP"}[wire], dict(drawn)


class Plane:
    """Where a point of these curves is drawn; both axes are logarithmic."""

    def __init__(self, drawn: Sequence[Curve]) -> None:
        sizes = [size for curve in drawn for size in curve]
        costs = [cost for curve in drawn for cost in curve.values()]
        self.sizes = sorted(set(sizes))
        self._first, self._last = math.log10(min(sizes)), math.log10(max(sizes))
        low = max(tick for tick in TICKS if tick <= min(costs))
        high = min(tick for tick in TICKS if tick > max(costs))
        self.ticks = [tick for tick in TICKS if low <= tick <= high]
        self._low, self._high = math.log10(low), math.log10(high)

    def x(self, size: float) -> float:
        """Return pixels from the left."""
        part = (math.log10(size) - self._first) / max(self._last - self._first, 1e-9)
        return LEFT + part * (RIGHT - LEFT)

    def y(self, cost: float) -> float:
        """Return pixels from the top."""
        part = (math.log10(cost) - self._low) / (self._high - self._low)
        return BOTTOM - part * (BOTTOM - TOP)


def apart(places: Sequence[float], least: float, end: float) -> list[float]:
    """Return places in the same order, `least` from each other, none behind `end`.

    Each is moved no further than the others make necessary: down first, then up from the end.

    Args:
        places: Ascending.
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + least) if moved else place)
    limit = end
    for index in range(len(moved) - 1, -1, -1):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - least
    return moved


def svg(wire: str, drawn: Mapping[str, Curve]) -> str:
    """Return the picture of what was read over this wire."""
    plane = Plane(list(drawn.values()))
    lines = [*_head(wire), *_axes(plane)]
    ends = sorted(
        (plane.y(curve[max(curve)]), name, curve) for name, curve in drawn.items() if curve
    )
    heights = apart([height for height, _, _ in ends], LINE_HEIGHT, BOTTOM)
    placed = [(name, curve, height) for (_, name, curve), height in zip(ends, heights, strict=True)]
    for name, curve, height in sorted(placed, key=lambda it: it[0] == "worker"):  # it is on top
        lines += _curve(plane, name, curve, height)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _head(wire: str) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    yield f'  width="{WIDTH}" height="{HEIGHT}" role="img" font-size="13" fill="{INK}"'
    yield '  font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
    yield "<title>CPU for each record, by size of record</title>"
    title = "CPU for each record, µs"
    yield f'<text x="{LEFT - 48}" y="24" font-size="15" font-weight="600">{title}</text>'
    note = f"less is better; both axes are logarithmic; over {wire}, dashed: without a network"
    yield f'<text x="{LEFT - 48}" y="46">{note}</text>'


def _axes(plane: Plane) -> Iterator[str]:
    for cost in plane.ticks:
        y = plane.y(cost)
        yield f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="{INK}" stroke-opacity="0.3"/>'
        yield f'<text x="{LEFT - 10}" y="{y + 4.5:.1f}" text-anchor="end">{cost:g}</text>'
    for size in plane.sizes:
        x = plane.x(size)
        name = next((it.name for it in SIZES if it.record_bytes == size), f"{size} B")
        yield f'<path d="M{x:.1f} {BOTTOM}v5" stroke="{INK}"/>'
        yield f'<text x="{x:.1f}" y="{BOTTOM + 22}" text-anchor="middle">{name}</text>'
    yield f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="{INK}"/>'
    middle = (LEFT + RIGHT) / 2
    yield f'<text x="{middle}" y="{BOTTOM + 46}" text-anchor="middle">size of a record</text>'


def _curve(plane: Plane, name: str, curve: Curve, height: float) -> Iterator[str]:
    """Yield line, dots, and the name at `height`, with a thin line to it where it was moved."""
    colour = COLOURS.get(name, INK)
    width, weight = (3.5, 700) if name == "worker" else (1.8, 400)
    dashes = ' stroke-dasharray="6 4"' if name in WIRELESS else ""
    points = [(plane.x(size), plane.y(curve[size])) for size in sorted(curve)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{width + 1.2:.1f}" fill="{colour}"/>'
    x, y = points[-1]
    yield (
        f'<path d="M{x + 7:.1f} {y:.1f}L{x + 24:.1f} {height:.1f}h4" fill="none" '
        f'stroke="{colour}" stroke-opacity="0.6"/>'
    )
    text = f"{short(curve[max(curve)])}  {NAMES.get(name, name)}"
    yield (
        f'<text x="{x + 32:.1f}" y="{height + 4.5:.1f}" fill="{colour}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def main(arguments: list[str] | None = None) -> None:
    """Draw."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plot")
    parser.add_argument("figures", type=Path, help="what `tests.bench read --json` printed")
    parser.add_argument("svg", type=Path)
    options = parser.parse_args(arguments)
    wire, drawn = curves(json.loads(options.figures.read_text()))
    if not drawn:
        parser.error("there are no figures of reading in it")
    options.svg.write_text(svg(wire, drawn))


if __name__ == "__main__":
    main()
