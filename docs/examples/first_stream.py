"""Make a stream, put records into it, and read them from either end."""

from __future__ import annotations

from kcl_py import Producer
from kcl_py.streams import Reader, ensure_stream

# ------------------------------------------------------------------------- make it, look at it
stream = ensure_stream("first", shards=1)

about = stream.describe()
print(about.name, "is", about.status, "with", about.open_shard_count, "shard")
[shard] = stream.shards()
print(shard.shard_id, "takes hash keys", shard.starting_hash_key, "to", shard.ending_hash_key)

# ------------------------------------------------------------------------------ put one record
producer = Producer("first")
put = producer.put({"name": "Ada", "age": 36}, key="Ada").result()
print("put into", put.shard_id, "as number", put.sequence_number)

# ------------------------------------------------------------------- read it, oldest to newest
with Reader("first", start="earliest", until_caught_up=True) as reader:
    for each in reader:
        print("earliest:", each.shard_id, each.record.partition_key, each.record.json())

# --------------------------------------------------------------- read only what comes from now
with Reader("first", start="latest", max_records=1) as reader:  # "latest" is this moment
    producer.put({"name": "Grace", "age": 85}, key="Grace")
    for each in reader:
        print("latest:", each.record.json())

producer.close()
