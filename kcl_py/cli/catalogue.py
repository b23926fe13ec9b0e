"""Which commands are there, where do they live, and what is said of each in one line?

Making a command costs milliseconds, for each has all shared flags. So one that is not asked for is
known by its line here alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kcl_py.cli.catalogue_operate import (
    CHECKPOINT_COMMANDS,
    CONFIG_COMMANDS,
    DLQ_COMMANDS,
    IAM_COMMANDS,
    LEASE_COMMANDS,
)
from kcl_py.cli.entries import Entry, Group

EXAMPLES: Final = (
    "kcl demo",
    "kcl local -- bash",
    "kcl run people:Greeter --app greeter --stream people",
)

COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "run": Entry(
            "running.run:run",
            "Run a worker until SIGTERM or Ctrl-C, which stop it cleanly.",
            (
                "kcl run people:Greeter --app greeter --stream people",
                "kcl run people:Greeter --app greeter --stream people --processes 4",
                "kcl run people:Greeter --app greeter --stream people --set leases.duration=5s",
            ),
        ),
        "lag": Entry(
            "looking.lag:lag",
            "Show how far behind each shard's checkpoint is, without a worker.",
            ("kcl lag --app orders", "kcl lag --app orders --max 60s -o json"),
        ),
        "workers": Entry(
            "looking.workers:workers",
            "Show the workers of an application: leases, last sign of life, lease duration.",
            ("kcl workers --app orders",),
        ),
        "health": Entry(
            "running.health:health",
            "Say whether the worker of this machine is alive: exit code 0 or 1, and why.",
            ("KCL_HEALTH_FILE=/tmp/kcl-health kcl health", "kcl health --port 8080 --ready"),
        ),
        "top": Entry(
            "looking.top:top",
            "Show workers, shards and lags, live, until Ctrl-C.",
            ("kcl top --app orders", "kcl top --app orders -o json"),
        ),
        "doctor": Entry(
            "looking.doctor:doctor",
            "Examine an application: rights, clocks, stream, table, workers, leases, lag; "
            "change nothing.",
            (
                "kcl doctor --app orders --stream orders",
                "kcl doctor --app orders --stream orders --watch 0s -o json",
            ),
        ),
        "put": Entry(
            "producing.put:put",
            "Put one record, and show its shard and sequence number.",
            (
                "kcl put orders '{\"id\": 1}' --key ann",
                "kcl put orders @order.json --json",
                "echo eyJhIjoxfQ== | kcl put orders - --base64",
            ),
        ),
        "produce": Entry(
            "producing.produce:produce",
            "Put records from a file, stdin or a demo into a stream.",
            (
                "kcl produce orders orders.jsonl --key customer.id --failed failed.jsonl",
                "kcl produce orders people.csv --rate 100/s --order per_key --key name",
                "kcl produce orders failed.jsonl --format failed",
                "tail -f app.log | kcl produce logs --format text --aggregation per_shard",
                "kcl produce people --demo users --rate 20/s",
            ),
        ),
        "tail": Entry(
            "streams.tail:tail",
            "Show records of a stream, without leases or checkpoints.",
            (
                "kcl tail orders --follow",
                "kcl tail orders --from -15m --where user.name=ann -o jsonl",
                "kcl tail orders shardId-000000000000 --from at:SEQ/SUB --max 1",
            ),
        ),
        "decode": Entry(
            "streams.tail:decode",
            "Show data that is base64 on stdin, one record per line.",
            ("echo eyJhIjoxfQ== | kcl decode", "kcl decode --decode hex < records.txt"),
        ),
        "demo": Entry(
            "demo.demo:demo",
            "Run a fleet on this machine through kill -9, SIGTERM, a join, a split and a merge.",
            ("kcl demo", "kcl demo --fast --keep"),
        ),
        "local": Entry(
            "running.local:local",
            "Serve Kinesis and DynamoDB on 127.0.0.1 until stopped, or while a command runs.",
            ("kcl local -- bash", "kcl local -- python put_people.py", "kcl local --data streams"),
        ),
        "completion": Entry(
            "completion.command:completion",
            "Print what makes a shell complete commands, flags and their values.",
            (
                "kcl completion bash >> ~/.bashrc",
                "kcl completion zsh >> ~/.zshrc",
                "kcl completion fish > ~/.config/fish/completions/kcl.fish",
            ),
        ),
    }
)

STREAM_COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "create": Entry(
            "streams.changes:create",
            "Create a stream.",
            ("kcl stream create orders --shards 4 --if-missing --wait",),
        ),
        "list": Entry(
            "streams.looks:list_",
            "List the names of all streams of this account and region.",
            ("kcl stream list -o jsonl",),
        ),
        "describe": Entry(
            "streams.looks:describe",
            "Show a stream: settings, tags, registered consumers, and all shards.",
            ("kcl stream describe orders --json",),
        ),
        "graph": Entry(
            "streams.looks:graph",
            "Draw how the shards of a stream descend from each other.",
            ("kcl stream graph orders", "kcl stream graph orders -f svg > orders.svg"),
        ),
        "split": Entry(
            "streams.changes:split",
            "Split a shard in two.",
            (
                "kcl stream split shardId-000000000000 --stream orders --wait",
                "kcl stream split shardId-000000000000 --stream orders --at 0.25",
            ),
        ),
        "merge": Entry(
            "streams.changes:merge",
            "Merge two shards whose hash keys are neighbours.",
            ("kcl stream merge shardId-000000000001 shardId-000000000002 --stream orders",),
        ),
        "scale": Entry(
            "streams.changes:scale",
            "Change the number of shards.",
            ("kcl stream scale 8 --stream orders --wait --timeout 10m",),
        ),
        "mode": Entry(
            "streams.changes:mode",
            "Change who decides on the number of shards: you, or the service.",
            ("kcl stream mode on-demand --stream orders",),
        ),
        "retention": Entry(
            "streams.changes:retention",
            "Change how long records are kept.",
            ("kcl stream retention 48h --stream orders",),
        ),
        "tags": Entry(
            "streams.changes:tags",
            "List the tags of a stream, set some and remove some.",
            ("kcl stream tags --stream orders", "kcl stream tags team=data old- --stream orders"),
        ),
        "monitoring": Entry(
            "streams.changes:monitoring",
            "Choose the metrics that are kept for each shard.",
            (
                "kcl stream monitoring on --stream orders",
                "kcl stream monitoring off IncomingBytes OutgoingBytes --stream orders",
            ),
        ),
        "encrypt": Entry(
            "streams.changes:encrypt",
            "Encrypt what comes from now on.",
            ("kcl stream encrypt alias/orders --stream orders",),
        ),
        "consumers": Entry(
            "streams.looks:consumers",
            "List the consumers that are registered for enhanced fan-out.",
            ("kcl stream consumers orders",),
        ),
        "delete": Entry(
            "streams.changes:delete",
            "Delete a stream with all of its records; asks before.",
            ("kcl stream delete orders --yes --wait",),
        ),
    }
)

GROUPS: Final[Mapping[str, Group]] = MappingProxyType(
    {
        "stream": Group(
            "Look at streams, and change them.",
            STREAM_COMMANDS,
            ("kcl stream create orders --shards 4 --wait", "kcl stream describe orders"),
        ),
        "leases": Group(
            "Show the lease table: owners, liveness, checkpoints, handoffs and offers.",
            LEASE_COMMANDS,
            alone=Entry(
                "looking.leases:leases",
                "Show the lease table: owners, liveness, checkpoints, handoffs and offers.",
                ("kcl leases --app orders", "kcl leases --app orders --watch"),
            ),
        ),
        "checkpoint": Group(
            "Look at checkpoints, and change them.",
            CHECKPOINT_COMMANDS,
            (
                "kcl checkpoint show --app orders",
                "kcl checkpoint reset --to earliest --app orders --dry-run",
            ),
        ),
        "dlq": Group(
            "Look at dead letters, and put them back into their stream.",
            DLQ_COMMANDS,
            ("kcl dlq list dead.jsonl", "kcl dlq redrive dead.jsonl --dry-run"),
        ),
        "iam": Group(
            "Say what AWS must allow.",
            IAM_COMMANDS,
            ("kcl iam policy worker --app greeter --stream ARN > worker.json",),
        ),
        "config": Group(
            "Look at the configuration.", CONFIG_COMMANDS, ("kcl config show --config kcl.toml",)
        ),
    }
)
