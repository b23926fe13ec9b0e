# The fifth tutorial as commands of the AWS CLI: four shards, all iterators, all settings.
set -euo pipefail

# wait_active: until the stream is; then its shards, hours and metrics are known.
wait_active() {
    local status=
    until test "$status" = ACTIVE; do
        read -r status shards hours metrics <<<"$(aws kinesis describe-stream-summary --stream-name family --output text \
            --query 'StreamDescriptionSummary.[StreamStatus, OpenShardCount, RetentionPeriodHours,
                length(EnhancedMonitoring[0].ShardLevelMetrics)]')"
    done
}

# read_from TYPE [OPTION...]: the data that Anna's shard has from there on, on one line.
read_from() {
    local iterator
    iterator=$(aws kinesis get-shard-iterator --stream-name family --shard-id "$shard" \
        --shard-iterator-type "$@" --query ShardIterator --output text)
    aws kinesis get-records --shard-iterator "$iterator" --query 'Records[].Data' --output text
}

aws kinesis create-stream --stream-name family --shard-count 4
wait_active

# MD5 of the key says which shard: 4 shards, so the first two bits of it do.
case $(printf Anna | md5sum) in
[0-3]*) shard=shardId-000000000000 ;;
[4-7]*) shard=shardId-000000000001 ;;
[89ab]*) shard=shardId-000000000002 ;;
*) shard=shardId-000000000003 ;;
esac
read -r taken number <<<"$(aws kinesis put-record --stream-name family --partition-key Anna --data 'Anna 1' \
    --query '[ShardId, SequenceNumber]' --output text)"
test "$taken" = "$shard"
aws kinesis put-record --stream-name family --partition-key Anna --data 'Anna 2'

# What comes back is base64.
one=$(printf 'Anna 1' | base64)
two=$(printf 'Anna 2' | base64)
test "$(read_from TRIM_HORIZON)" = "$one	$two"
test "$(read_from LATEST)" = ""
test "$(read_from AT_SEQUENCE_NUMBER --starting-sequence-number "$number")" = "$one	$two"
test "$(read_from AFTER_SEQUENCE_NUMBER --starting-sequence-number "$number")" = "$two"
test "$(read_from AT_TIMESTAMP --timestamp 2026-01-01T00:00:00Z)" = "$one	$two"

aws kinesis merge-shards --stream-name family --shard-to-merge shardId-000000000000 \
    --adjacent-shard-to-merge shardId-000000000001
wait_active
# The middle of the third quarter: 5/8 of 2^128.
aws kinesis split-shard --stream-name family --shard-to-split shardId-000000000002 \
    --new-starting-hash-key 212676479325586539664609129644855132160
wait_active
test "$shards" = 4

aws kinesis increase-stream-retention-period --stream-name family --retention-period-hours 48
wait_active
test "$hours" = 48
aws kinesis add-tags-to-stream --stream-name family --tags team=genealogy,stage=test
aws kinesis remove-tags-from-stream --stream-name family --tag-keys stage
test "$(aws kinesis list-tags-for-stream --stream-name family --query 'Tags[].[Key, Value]' --output text)" = "team	genealogy"
aws kinesis enable-enhanced-monitoring --stream-name family --shard-level-metrics IncomingRecords OutgoingRecords
wait_active
test "$metrics" = 2

# One request for a whole file. A question without a topic goes by its id.
python3 - <<'PY' >records.json
import json

questions = json.load(open("questions.json", encoding="utf-8"))
entries = [
    {"Data": json.dumps(each), "PartitionKey": each.get("topic") or str(each["id"])}
    for each in questions
]
print(json.dumps(entries))
PY
test "$(aws kinesis put-records --stream-name family --records file://records.json --query FailedRecordCount)" = 0

aws kinesis delete-stream --stream-name family

echo done
