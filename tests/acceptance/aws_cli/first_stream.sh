# The first tutorial as commands of the AWS CLI: one stream, one record, two iterators.
set -euo pipefail

aws kinesis create-stream --stream-name first --shard-count 1
aws kinesis wait stream-exists --stream-name first
test "$(aws kinesis list-streams --query StreamNames --output text)" = first
shard=$(aws kinesis describe-stream --stream-name first --query 'StreamDescription.Shards[0].ShardId' --output text)
test "$shard" = shardId-000000000000

aws kinesis put-record --stream-name first --partition-key Ada --data '{"name": "Ada", "age": 36}'

oldest=$(aws kinesis get-shard-iterator --stream-name first --shard-id "$shard" \
    --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text)
newest=$(aws kinesis get-shard-iterator --stream-name first --shard-id "$shard" \
    --shard-iterator-type LATEST --query ShardIterator --output text)

data=$(aws kinesis get-records --shard-iterator "$oldest" --query 'Records[0].Data' --output text)
test "$(echo "$data" | base64 -d)" = '{"name": "Ada", "age": 36}'
test "$(aws kinesis get-records --shard-iterator "$newest" --query 'length(Records)')" = 0

echo done
