"""Whom does `kcl produce --demo users` make up?"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Final

import msgspec

from kcl_py.cli.producing.inputs import Entry

NAMES: Final = (
    ("Ada", "female"),
    ("Alan", "male"),
    ("Barbara", "female"),
    ("Edsger", "male"),
    ("Frances", "female"),
    ("Grace", "female"),
    ("Leslie", "male"),
    ("Robin", "diverse"),
)
AGE_MAX: Final = 99


def users(rng: random.Random) -> Iterator[Entry]:
    """Make up one after the other, without end."""
    for number in itertools.count(1):
        name, gender = rng.choice(NAMES)
        user = {"id": number, "name": name, "age": rng.randint(1, AGE_MAX), "gender": gender}
        yield Entry(number, msgspec.json.encode(user), user)
