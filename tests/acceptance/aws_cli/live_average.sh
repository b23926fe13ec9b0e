# The second tutorial as commands of the AWS CLI: users in a loop, read two at a time, an average.
set -euo pipefail

aws kinesis create-stream --stream-name users --shard-count 1
aws kinesis wait stream-exists --stream-name users

for user in 'Ada 36 female' 'Alan 41 male' 'Grace 85 female'; do
    read -r name age gender <<<"$user"
    aws kinesis put-record --stream-name users --partition-key "$name" \
        --data "{\"name\": \"$name\", \"age\": $age, \"gender\": \"$gender\"}"
done

iterator=$(aws kinesis get-shard-iterator --stream-name users --shard-id shardId-000000000000 \
    --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text)
count=0
years=0
while true; do
    # A line with the next iterator and how far behind the newest this is, then one for each record.
    answer=$(aws kinesis get-records --shard-iterator "$iterator" --limit 2 --output text \
        --query '[[NextShardIterator, MillisBehindLatest], Records[].[Data]][]')
    read -r iterator behind <<<"$(head -n 1 <<<"$answer")"
    while read -r data; do
        age=$(echo "$data" | base64 -d | sed 's/.*"age": \([0-9]*\).*/\1/')
        count=$((count + 1))
        years=$((years + age))
    done < <(tail -n +2 <<<"$answer")
    test "$behind" != 0 || break
done
test "$count" = 3
echo "average age $((years / count))"
test $((years / count)) = 54

echo done
