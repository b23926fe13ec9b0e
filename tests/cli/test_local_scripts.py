"""Does `kcl local -- python some_script.py` serve a script that knows only boto3?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_local import KCL, PATIENCE_SECONDS, environment

TOUR = """
import time, boto3
kinesis = boto3.client("kinesis")
kinesis.create_stream(StreamName="s", ShardCount=1)
waiter = kinesis.get_waiter("stream_exists")
wait = lambda: waiter.wait(StreamName="s", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
wait()
def status():
    summary = kinesis.describe_stream_summary(StreamName="s")
    return summary["StreamDescriptionSummary"]["StreamStatus"]
def active():
    while status() != "ACTIVE":
        time.sleep(0.05)
active()
shard = kinesis.list_shards(StreamName="s")["Shards"][0]["ShardId"]
put = [kinesis.put_record(StreamName="s", Data=str(n).encode(), PartitionKey="k") for n in range(4)]
numbers = [answer["SequenceNumber"] for answer in put]
batch = kinesis.put_records(StreamName="s", Records=[{"Data": b"4", "PartitionKey": "k"}])
assert batch["FailedRecordCount"] == 0
def read(kind, **where):
    where |= {"StreamName": "s", "ShardId": shard, "ShardIteratorType": kind}
    iterator = kinesis.get_shard_iterator(**where)["ShardIterator"]
    return [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]]
assert read("TRIM_HORIZON") == [b"0", b"1", b"2", b"3", b"4"]
assert read("LATEST") == []
assert read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"1", b"2", b"3", b"4"]
assert read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"2", b"3", b"4"]
assert read("AT_TIMESTAMP", Timestamp=time.time() - 3600) == [b"0", b"1", b"2", b"3", b"4"]
kinesis.split_shard(StreamName="s", ShardToSplit=shard, NewStartingHashKey=str(2**127))
active()
shards = kinesis.list_shards(StreamName="s")["Shards"]
children = [s["ShardId"] for s in shards if s.get("ParentShardId") == shard]
assert len(children) == 2
kinesis.merge_shards(StreamName="s", ShardToMerge=children[0], AdjacentShardToMerge=children[1])
active()
merged = kinesis.list_shards(StreamName="s")["Shards"][-1]
assert {merged["ParentShardId"], merged["AdjacentParentShardId"]} == set(children)
kinesis.delete_stream(StreamName="s")
while kinesis.list_streams()["StreamNames"]:
    time.sleep(0.05)
print("done")
"""

RACE = """
import threading, boto3
table = boto3.client("dynamodb")
table.create_table(
    TableName="race", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
)
table.get_waiter("table_exists").wait(TableName="race", WaiterConfig={"Delay": 1})
table.put_item(TableName="race", Item={"k": {"S": "row"}, "c": {"N": "0"}})
for round_number in range(20):
    winners, barrier = [], threading.Barrier(8)
    def race(name):
        barrier.wait()
        try:
            table.update_item(
                TableName="race", Key={"k": {"S": "row"}},
                ConditionExpression="c = :old", UpdateExpression="SET c = :new, w = :me",
                ExpressionAttributeValues={
                    ":old": {"N": str(round_number)},
                    ":new": {"N": str(round_number + 1)},
                    ":me": {"S": name},
                },
            )
        except table.exceptions.ConditionalCheckFailedException:
            return
        winners.append(name)
    threads = [threading.Thread(target=race, args=(str(n),)) for n in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(winners) == 1, winners
print("done")
"""


@pytest.mark.parametrize("script", [TOUR, RACE], ids=["every step of a stream", "eight racers"])
def test_a_script_that_knows_only_boto3(tmp_path: Path, script: str) -> None:
    path = tmp_path / "some_boto3_script.py"
    path.write_text(script)

    done = subprocess.run(
        [*KCL, "local", "--", sys.executable, str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
