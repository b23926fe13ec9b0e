"""Which commands look after an application: configuration, leases, checkpoints, dead letters?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kcl_py.cli.entries import Entry

CONFIG_COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "show": Entry(
            "looking.config_show:show",
            "Show every setting: its value, its unit, and who says so.",
            (
                "kcl config show --config kcl.toml",
                "kcl config show --config kcl.toml --set leases.duration=5s -o json",
            ),
        ),
    }
)

LEASE_COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "pause": Entry(
            "repairing.lease_pauses:pause",
            "Pause shards: their owners keep them, and no user code of them runs.",
            ("kcl leases pause shardId-000000000000 --app orders",),
        ),
        "resume": Entry(
            "repairing.lease_pauses:resume",
            "Let paused shards go on, whether somebody paused them or too many errors did.",
            ("kcl leases resume shardId-000000000000 --app orders",),
        ),
        "release": Entry(
            "repairing.lease_release:release",
            "Let the owner of a shard hand it to another worker, without a gap or a repetition.",
            ("kcl leases release shardId-000000000000 --app orders",),
        ),
        "gc": Entry(
            "repairing.lease_gc:gc",
            "Delete tombstones of forgotten shards, and rows of dead workers; asks before.",
            ("kcl leases gc --app orders --dry-run",),
        ),
    }
)

CHECKPOINT_COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "show": Entry(
            "repairing.checkpoint_show:show",
            "Show the checkpoint of every lease.",
            ("kcl checkpoint show --app orders",),
        ),
        "reset": Entry(
            "repairing.checkpoint_reset:reset",
            "Let an application begin again at another place; asks before.",
            (
                "kcl checkpoint reset --to earliest --app orders --dry-run",
                "kcl checkpoint reset --to 2026-11-21T10:00Z --app orders --yes",
                "kcl checkpoint reset --to after:SEQ/SUB --shard shardId-000000000000 --app orders",
            ),
        ),
        "export": Entry(
            "repairing.checkpoint_files:export",
            "Write the checkpoints of all leases into a file.",
            ("kcl checkpoint export orders.json --app orders",),
        ),
        "import": Entry(
            "repairing.checkpoint_files:import_",
            "Put the checkpoints of a file back; asks before.",
            ("kcl checkpoint import orders.json --app orders --dry-run",),
        ),
    }
)

DLQ_COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "list": Entry(
            "repairing.dlq:list_",
            "List the dead letters of a file, a queue of SQS or a place in S3.",
            ("kcl dlq list dead.jsonl", "kcl dlq list s3://bucket/dead -o jsonl"),
        ),
        "show": Entry(
            "repairing.dlq:show",
            "Show one dead letter with its data.",
            (
                "kcl dlq show dead.jsonl 0f3ac1b2d4e59687",
                "kcl dlq show dead.jsonl 0f3ac1b2d4e59687 --json",
            ),
        ),
        "redrive": Entry(
            "repairing.dlq:redrive",
            "Put dead letters back into their stream, and take out what was delivered.",
            (
                "kcl dlq redrive dead.jsonl --dry-run",
                "kcl dlq redrive sqs://sqs.eu-central-1.amazonaws.com/123456789012/dead",
                "kcl dlq redrive s3://bucket/dead --only 0f3ac1b2d4e59687 --to orders-again",
            ),
        ),
    }
)

IAM_COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "policy": Entry(
            "looking.iam:policy",
            "Print the policy of least privilege as JSON: what the code calls, and no more.",
            (
                "kcl iam policy worker --app greeter --stream ARN > worker.json",
                "kcl iam policy worker --app greeter --stream ARN --no-create-table --kms KEY_ARN",
                "kcl iam policy producer --stream ARN",
            ),
        ),
    }
)
