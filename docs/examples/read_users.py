"""Read what is in the stream `users`, five at a time, and tell the average age after each five."""

from __future__ import annotations

from itertools import islice

from kcl_py.streams import Reader

ages = []
with Reader("users", start="earliest", until_caught_up=True) as reader:
    records = iter(reader)
    while five := [each.record.json() for each in islice(records, 5)]:
        ages += [user["age"] for user in five]
        print("after", len(ages), "users the average age is", round(sum(ages) / len(ages), 1))
