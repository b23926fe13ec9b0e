"""Does the picture name everybody, and can it be read?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.figures import Figure, Report
from tests.bench.plot import COLOURS, HEIGHT, LINE_HEIGHT, apart, curves, main
from tests.bench.read import NAMES, SIZES, UNIT, WIRELESS, what

TEXT = "{http://www.w3.org/2000/svg}text"
costs = st.floats(0.01, 1_000)
found = st.fixed_dictionaries({name: st.tuples(costs, costs, costs) for name in NAMES})


def printed(by_name: Mapping[str, tuple[float, ...]], wires: tuple[str, ...]) -> dict[str, object]:
    """What `tests.bench read --json` prints of these costs; plain HTTP costs the double."""
    report = Report(name="read", title="Reading")
    for wire in wires:
        for name, medians in by_name.items():
            for size, median in zip(SIZES, medians, strict=True):
                key = (size.name, "" if name in WIRELESS else wire, name)
                sample = median * 2 if "plain" in key else median
                report.figures.append(Figure(what=what(key), unit=UNIT, samples=(sample,)))
    return {"reports": [report.describe()]}


@given(by_name=found, wires=st.sampled_from([("TLS", "plain"), ("plain",)]))
def test_curves_are_those_of_one_wire(
    by_name: Mapping[str, tuple[float, ...]], wires: tuple[str, ...]
) -> None:
    wire, drawn = curves(printed(by_name, wires))

    sizes = [size.record_bytes for size in SIZES]
    assert wire == ("TLS" if "TLS" in wires else "plain HTTP")
    assert drawn == {
        name: {
            size: median if wire == "TLS" or name in WIRELESS else median * 2
            for size, median in zip(sizes, medians, strict=True)
        }
        for name, medians in by_name.items()
    }


def test_everybody_is_named_within_the_picture(tmp_path: Path) -> None:
    by_name = dict.fromkeys(NAMES, (1.0, 2.0, 3.0))
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps(printed(by_name, ("TLS",))))

    main([str(figures), str(tmp_path / "out.svg")])

    root = ET.parse(tmp_path / "out.svg").getroot()
    texts = {text.text: float(text.attrib["y"]) for text in root.iter(TEXT)}
    assert {f"3  {name}" for name in NAMES.values()} <= set(texts)
    assert all(0 < y < HEIGHT for y in texts.values())


def test_everybody_has_a_colour() -> None:
    assert set(COLOURS) == set(NAMES)


@given(places=st.lists(st.floats(0, HEIGHT), max_size=8).map(sorted))
def test_names_do_not_overlap(places: list[float]) -> None:
    moved = apart(places, LINE_HEIGHT, HEIGHT)

    assert len(moved) == len(places)
    assert all(place <= HEIGHT for place in moved)
    assert all(after - before >= LINE_HEIGHT - 1e-6 for before, after in pairwise(moved))


def test_names_that_fit_stay_where_they_are() -> None:
    assert apart([10.0, 30.0, 49.0], 19, 100) == [10.0, 30.0, 49.0]
