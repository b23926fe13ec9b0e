# The fourth tutorial as commands of the AWS CLI: five at once, 500 at once, what is refused.
set -euo pipefail

# group N: so many entries of PutRecords.
group() {
    local number
    for ((number = 0; number < $1; number++)); do
        test "$number" = 0 && printf '[' || printf ','
        printf '{"Data": "order %d", "PartitionKey": "customer-%d"}' "$number" $((number % 7))
    done
    printf ']'
}

aws kinesis create-stream --stream-name batches --shard-count 1
aws kinesis wait stream-exists --stream-name batches

test "$(aws kinesis put-records --stream-name batches --records "$(group 5)" --query FailedRecordCount)" = 0

group 500 >group.json
test "$(aws kinesis put-records --stream-name batches --records file://group.json --query FailedRecordCount)" = 0

group 501 >group.json
if aws kinesis put-records --stream-name batches --records file://group.json; then
    echo "501 records are too many"
    exit 1
fi

iterator=$(aws kinesis get-shard-iterator --stream-name batches --shard-id shardId-000000000000 \
    --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text)
test "$(aws kinesis get-records --shard-iterator "$iterator" --query 'length(Records)')" = 505

aws kinesis delete-stream --stream-name batches
aws kinesis wait stream-not-exists --stream-name batches
test -z "$(aws kinesis list-streams --query StreamNames --output text)"

echo done
