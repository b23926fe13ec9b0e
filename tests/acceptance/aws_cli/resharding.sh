# The third tutorial as commands of the AWS CLI: split in the middle, fill, merge.
set -euo pipefail

wait_active() {
    until test "$(aws kinesis describe-stream-summary --stream-name growing \
        --query StreamDescriptionSummary.StreamStatus --output text)" = ACTIVE; do :; done
}

# open_shards: ids of shards that take records, on one line.
open_shards() {
    aws kinesis list-shards --stream-name growing --shard-filter Type=AT_LATEST --query 'Shards[].ShardId' --output text
}

aws kinesis create-stream --stream-name growing --shard-count 1
wait_active

# The middle of 0 and 2^128 - 1.
aws kinesis split-shard --stream-name growing --shard-to-split shardId-000000000000 \
    --new-starting-hash-key 170141183460469231731687303715884105728
wait_active
test "$(open_shards)" = "shardId-000000000001	shardId-000000000002"

records='[{"Data": "x", "PartitionKey": "a"}, {"Data": "x", "PartitionKey": "b"}, {"Data": "x", "PartitionKey": "c"}, {"Data": "x", "PartitionKey": "d"}]'
filled=$(aws kinesis put-records --stream-name growing --records "$records" --query 'Records[].ShardId' --output text)
[[ $filled == *shardId-000000000001* && $filled == *shardId-000000000002* ]]

# The old shard is at its end: no records, no next iterator, two children.
iterator=$(aws kinesis get-shard-iterator --stream-name growing --shard-id shardId-000000000000 \
    --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text)
test "$(aws kinesis get-records --shard-iterator "$iterator" \
    --query '[NextShardIterator, length(ChildShards)]' --output text)" = "None	2"

aws kinesis merge-shards --stream-name growing --shard-to-merge shardId-000000000001 \
    --adjacent-shard-to-merge shardId-000000000002
wait_active
test "$(open_shards)" = shardId-000000000003

echo done
