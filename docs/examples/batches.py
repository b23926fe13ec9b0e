"""Put many records at once, in groups, and lose none of those that the service refuses."""

from __future__ import annotations

from kcl_py import KinesisBatchDispatcher, Producer, ProducerConfig
from kcl_py.streams import Reader, ensure_stream

stream = ensure_stream("batches", shards=1)


def orders(count: int) -> list[dict[str, object]]:
    return [{"order": number, "customer": f"customer-{number % 7}"} for number in range(count)]


def count_records(*, deaggregate: bool = True) -> int:
    ends = {"until_caught_up": True, "deaggregate": deaggregate}
    with Reader(stream, start="earliest", **ends) as reader:
        return sum(1 for _ in reader)


# ------------------------------------------------------------------------------ groups of five
with Producer("batches", config=ProducerConfig(batch_records=5)) as producer:
    for order in orders(20):
        producer.put(order, key=str(order["customer"]))
    producer.flush()
    print("groups of five:", producer.counters().requests, "requests")

# ------------------------------------------------------------------------------- groups of 500
with Producer("batches") as producer:
    for order in orders(1500):
        producer.put(order, key=str(order["customer"]))
    failures = producer.flush()
    counters = producer.counters()
print("groups of 500:", counters.records, "records delivered,", len(failures), "failed")
print("refused at first and sent again:", counters.throttles)

# ------------------------------------------------------------- one try only: what failed comes back
with Producer("batches", config=ProducerConfig(attempts=1)) as producer:
    for order in orders(1500):
        producer.put(order, key=str(order["customer"]))
    failures = producer.flush()
    print(len(failures), "handed back:", {each.error_code for each in failures})
with Producer("batches") as producer:
    for failure in failures:
        producer.put(failure.data, key=failure.partition_key)
print("delivered in the end:", count_records())

# ---------------------------------------------------------------------------- the batch dispatcher
dispatcher = KinesisBatchDispatcher("batches", partition_key_identifier="customer")
for order in orders(10):
    dispatcher.submit_payload(order)
print("with a key field, undelivered:", dispatcher.flush_payloads())

dispatcher = KinesisBatchDispatcher("batches")
for order in orders(10):
    dispatcher.submit_payload(order)
print("with random keys, undelivered:", dispatcher.flush_payloads())

# ------------------------------------------------------------------------------------- aggregation
before, closed_before = count_records(), count_records(deaggregate=False)
with Producer("batches", config=ProducerConfig(aggregation="per_shard")) as producer:
    for order in orders(5000):
        producer.put(order, key=str(order["customer"]))
ours = count_records() - before
packed = count_records(deaggregate=False) - closed_before
print("aggregated:", ours, "records of ours in", packed, "of the service")

# -------------------------------------------------------------------------------------- delete it
stream.delete()
