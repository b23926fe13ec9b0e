"""Is a status the same whether it is written at once or in pieces?"""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.health.statusz import PIECE_ITEMS, statusz
from tests.metrics.samples import STATUS, shard

KEYS = st.lists(st.text(), unique=True, max_size=2 * PIECE_ITEMS + 1)


@given(KEYS, KEYS, st.floats(), st.text())
def test_in_pieces_it_is_what_it_is_at_once(
    shards: list[str], peers: list[str], number: float, why: str
) -> None:
    status = replace(
        STATUS, shards={key: shard(key, number) for key in shards}, peers=peers, events={why: 1}
    )

    told = json.loads("".join(statusz({"alive": True, "why": why}, status)))

    assert told == {"alive": True, "why": why} | json.loads(json.dumps(status.to_dict()))


def test_of_many_shards_no_piece_is_long() -> None:
    many = {f"shardId-{number:012d}": shard("", 1.0) for number in range(2000)}

    pieces = list(statusz({"alive": True}, replace(STATUS, shards=many)))

    assert max(map(len, pieces)) < 50_000  # bytes; some hundred microseconds
