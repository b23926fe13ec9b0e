"""Does the program about streams do what its page says?"""

from __future__ import annotations

import asyncio
import json

from kcl_py.local import Engine

from streams import count, first_of, make_room, prepare


def test_make_change_read(kcl_engine: Engine) -> None:
    session = kcl_engine.session()
    kinesis = session.client("kinesis")
    stream = prepare(session)

    def order(customer: str) -> str:
        data = json.dumps({"customer": customer}).encode()
        answer = kinesis.put_record(StreamName="orders", Data=data, PartitionKey=customer)
        return answer["ShardId"]

    before = order("ada")
    after = make_room(stream, "ada")

    assert after == order("ada") != before
    assert count(stream) == {before: 1, after: 1}
    assert asyncio.run(first_of(stream, "ada")) == {"customer": "ada"}
