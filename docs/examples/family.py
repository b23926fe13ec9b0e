"""Four shards: which takes whom, how to read them from every place, and how to change them."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import md5

from kcl_py import Producer
from kcl_py.streams import Reader, ensure_stream

NAMES = ("Anna", "Bert", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hedi")

# --------------------------------------------------------------------- four shards, eight names
stream = ensure_stream("family", shards=4)

with Producer("family") as producer:
    puts = {name: producer.put({"name": name, "nth": 1}, key=name) for name in NAMES}
    for put in puts.values():
        put.result()
    for name in NAMES:
        producer.put({"name": name, "nth": 2}, key=name)

# ------------------------------------------------------------------------------ the shard of a name
shard = stream.shard_for_key("Anna")
place = int.from_bytes(md5(b"Anna").digest())  # what it does: MD5 of the key, as a number
print("Anna:", shard.shard_id == puts["Anna"].result().shard_id)
print("Anna by hand:", shard.starting_hash_key <= place <= shard.ending_hash_key)

# --------------------------------------------------------------------------- read from all places
first = puts["Anna"].result().sequence_number
ours = {"shard_ids": [shard.shard_id]}


def read(**how: object) -> list[str]:
    with Reader(stream, **how, **ours) as reader:
        records = [each.record.json() for each in reader]
    return [f"{each['name']} {each['nth']}" for each in records if each["name"] == "Anna"]


print("earliest:", read(start="earliest", until_caught_up=True))
print("at:", read(start=f"at:{first}", until_caught_up=True))
print("after:", read(start=f"after:{first}", until_caught_up=True))
print("a time:", read(start=datetime(2026, 1, 1, tzinfo=UTC), until_caught_up=True))
print("latest:", read(start="latest", until_caught_up=True))
