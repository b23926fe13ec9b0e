"""How is a status written as JSON, so that nobody has to wait for ten thousand shards?

In pieces: encoded at once it would hold every thread of the process up for a tenth of a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import islice
from typing import Final

from kcl_py.status import WorkerStatus, json_ready

PIECE_ITEMS: Final = 20


def statusz(told: Mapping[str, object], status: WorkerStatus) -> Iterator[str]:
    """Yield one JSON object, piece by piece: what is told besides, then `status.to_dict()`.

    Args:
        told: Not empty.
    """
    yield json.dumps(json_ready(told))[:-1]
    for item in fields(status):
        value, name = getattr(status, item.name), json.dumps(item.name)
        if isinstance(value, Mapping):
            left, between = iter(value.items()), ""
            yield f", {name}: {{"
            while some := dict(islice(left, PIECE_ITEMS)):
                yield between + json.dumps(json_ready(some))[1:-1]
                between = ", "
            yield "}"
        else:
            yield f", {name}: {json.dumps(json_ready(value))}"
    yield "}\n"
