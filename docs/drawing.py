"""How is a picture drawn as SVG? Lines, boxes, arrows and words, legible on a light or dark page.

Grey and colours of middle brightness stand out from both; nothing is taken from outside.
"""

from __future__ import annotations

from html import escape

GREY = "#737b85"
BLUE, GREEN, RED, VIOLET = "#3d7fc4", "#2f9463", "#cf4f4f", "#7c6fd1"
FONT = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"
SIZE = 13


class Drawing:
    """A picture of so many points."""

    def __init__(self, width: int, height: int, title: str, says: str) -> None:
        self.head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"\n'
            f'  width="{width}" height="{height}" role="img" font-size="{SIZE}" fill="{GREY}"\n'
            f'  font-family="{FONT}">\n'
            f"<title>{escape(title)}</title>\n<desc>{escape(says)}</desc>"
        )
        self.parts: list[str] = []

    def words(
        self,
        x: float,
        y: float,
        *lines: str,
        fill: str = GREY,
        anchor: str = "start",
        bold: bool = False,
        size: int = SIZE,
    ) -> None:
        """Lines of text, one below the other; y is the foot of the first."""
        weight = ' font-weight="600"' if bold else ""
        for number, line in enumerate(lines):
            self.parts.append(
                f'<text x="{x:.1f}" y="{y + number * (size + 4):.1f}" fill="{fill}" '
                f'text-anchor="{anchor}" font-size="{size}"{weight}>{escape(line)}</text>'
            )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        color: str,
        filled: float = 0.0,
    ) -> None:
        """A rectangle with a frame, filled to some share."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5" '
            f'fill="{color}" fill-opacity="{filled}" stroke="{color}"/>'
        )

    def line(self, *points: tuple[float, float], color: str = GREY, dashed: bool = False) -> None:
        """A line through these points."""
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        self.parts.append(f'<path d="M{way}" fill="none" stroke="{color}"{dashes}/>')

    def arrow(self, begin: tuple[float, float], end: tuple[float, float], color: str) -> None:
        """A level line with a head."""
        self.line(begin, end, color=color)
        (x, y), back = end, 7 if end[0] < begin[0] else -7
        self.parts.append(
            f'<path d="M{x:.1f} {y:.1f}l{back} -4v8z" fill="{color}" stroke="{color}"/>'
        )

    def dot(self, x: float, y: float, color: str) -> None:
        """Something that came through."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{color}"/>')

    def cross(self, x: float, y: float, color: str) -> None:
        """Something that got lost."""
        self.parts.append(
            f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="{color}" stroke-width="2"/>'
        )

    def svg(self) -> str:
        """The whole file."""
        return "\n".join([self.head, *self.parts, "</svg>"]) + "\n"
