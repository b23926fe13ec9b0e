"""Put so many users into the stream `users`, and say which shards took them."""

from __future__ import annotations

import random
import sys
from collections import Counter

from kcl_py import Producer

FIRST = {"Ada": "female", "Alan": "male", "Barbara": "female", "Edsger": "male", "Grace": "female"}
LAST = ("Hill", "Lake", "Meadow", "Moor", "River", "Stone", "Vale", "Wood")


def user() -> dict[str, object]:
    first = random.choice(list(FIRST))
    name = f"{first} {random.choice(LAST)}"
    return {"name": name, "age": random.randint(1, 99), "gender": FIRST[first]}


def main(count: int) -> None:
    puts = []
    with Producer("users") as producer:
        for _ in range(count):
            one = user()
            puts.append(producer.put(one, key=str(one["name"])))
    for shard_id, taken in sorted(Counter(put.result().shard_id for put in puts).items()):
        print(shard_id, "took", taken)
    print("put", count, "users")


if __name__ == "__main__":
    main(int(sys.argv[1]))
