"""Is a policy of least privilege, well formed, and the one that is in the repository?"""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from kcl_py.aws.attributes import INDEX
from kcl_py.aws.java_rows import LEGACY_TABLE_SUFFIX
from kcl_py.cli.catalogue_operate import IAM_COMMANDS
from kcl_py.errors import ConfigError
from kcl_py.iam import GRANTS, JAVA_SUFFIX, LEASE_INDEX, Role, Scope, policy
from tests.cli.typed import Kcl
from tests.docs.pages import DOCS, ROOT
from tests.iam import suite

STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/people"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
ON_THE_MACHINE = ("local", "testing", "cli/world.py", "cli/demo")
"""What talks to the engine alone: itself, the simulated world, the demo."""

SERVICES = ("kinesis", "dynamodb", "autoscaling", "cloudwatch", "sqs", "s3")

NAMED = {"s3:ListObjectsV2": "s3:ListBucket"}
"""Calls whose permission has another name."""


def whole(role: Role, **changes: Any) -> dict[str, dict[str, Any]]:
    """The statements of a policy by their names."""
    scope = Scope(stream_arn=STREAM, table="greeter", **changes)
    return {each["Sid"]: dict(each) for each in policy(role, scope)["Statement"]}


def test_a_policy_names_every_resource_and_no_action_by_a_star() -> None:
    for role in Role:
        for statement in whole(role, metrics="greeter", group="fleet").values():
            assert statement["Effect"] == "Allow"
            assert not [action for action in statement["Action"] if "*" in action]
            if statement["Resource"] == "*":
                known = {
                    "kinesis:DescribeLimits",
                    "kinesis:ListStreams",
                    "cloudwatch:PutMetricData",
                }
                assert set(statement["Action"]) <= known


def test_the_lease_table_may_be_elsewhere_than_the_stream() -> None:
    statements = whole(Role.WORKER, account="444455556666", region="eu-central-1")

    table = "arn:aws:dynamodb:eu-central-1:444455556666:table/greeter"
    assert statements["HoldLeases"]["Resource"] == table
    assert statements["FindLeases"]["Resource"] == f"{table}/index/{INDEX}"
    assert statements["ReadRecords"]["Resource"] == STREAM


def test_other_partitions_are_named_as_theirs() -> None:
    arn = "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/people"
    key = "arn:aws-cn:kms:cn-north-1:111122223333:key/0a1b"
    statements = policy(Role.WORKER, Scope(stream_arn=arn, table="t-1", stream_key=key))
    by_name = {each["Sid"]: each for each in statements["Statement"]}

    assert by_name["HoldLeases"]["Resource"] == (
        "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/t-1"
    )
    assert by_name["DecryptRecords"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "kinesis.cn-north-1.amazonaws.com.cn"}
    }


def test_keys_may_be_used_through_their_service_alone() -> None:
    worker = whole(Role.WORKER, stream_key=KEY, table_key=KEY)
    producer = whole(Role.PRODUCER, stream_key=KEY)

    assert worker["DecryptRecords"]["Action"] == ["kms:Decrypt"]
    assert producer["EncryptRecords"]["Action"] == ["kms:GenerateDataKey"]
    assert worker["UseTableKey"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}
    }


def test_what_is_not_asked_for_is_not_given() -> None:
    least = whole(Role.WORKER, create_table=False, table_tags=True, table_backups=True)

    assert set(least) == {
        *("DescribeStream", "ReadRecords", "ReadLeases"),
        *("FindJava", "HoldLeases", "FindLeases"),
    }
    assert set(whole(Role.PRODUCER)) == {"DescribeStream", "PutRecords"}


def test_metrics_are_held_to_one_namespace() -> None:
    statement = whole(Role.WORKER, metrics="fleet")["PutMetrics"]

    assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "fleet"}}


def test_hooks_of_one_group_are_told() -> None:
    statement = whole(Role.WORKER, group="fleet")["HoldHook"]

    assert statement["Resource"] == (
        "arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:*:autoScalingGroupName/fleet"
    )


def test_dead_letters_are_put_by_workers_and_taken_by_operators() -> None:
    queue = "arn:aws:sqs:eu-west-1:111122223333:dead"
    worker, operator, looker = (
        whole(role, letters_queue=queue, letters_bucket="bucket/dead")
        for role in (Role.WORKER, Role.OPERATOR, Role.READ_ONLY)
    )

    assert worker["QueueLetters"]["Resource"] == queue
    assert worker["StoreLetters"]["Resource"] == "arn:aws:s3:::bucket/dead/*"
    assert operator["FindLetters"]["Resource"] == "arn:aws:s3:::bucket"
    assert operator["FindLetters"]["Condition"] == {"StringLike": {"s3:prefix": "dead/*"}}
    assert {"EmptyQueue", "RemoveLetters"} <= set(operator)
    assert not {"EmptyQueue", "RemoveLetters", "QueueLetters"} & set(looker)
    no_prefix = whole(Role.OPERATOR, letters_bucket="bucket")["FindLetters"]
    assert "Condition" not in no_prefix


def test_names_of_statements_are_unique_and_of_letters() -> None:
    names = [grant.sid for grant in GRANTS]

    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)  # Source: IAM, Sid.
    assert all(grant.why and grant.roles for grant in GRANTS)


def test_names_are_those_that_the_worker_asks_for() -> None:
    assert (LEASE_INDEX, JAVA_SUFFIX) == (INDEX, LEGACY_TABLE_SUFFIX)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stream_arn": "people"}, "no ARN of a stream"),
        ({"letters_queue": "dead"}, "no ARN of a queue"),
        ({"account": "1234"}, "12 digits"),
        ({"stream_key": "alias/people"}, "an alias cannot stand"),
    ],
)
def test_what_no_policy_can_be_made_of(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Scope(**{"stream_arn": STREAM, **changes})  # type: ignore[arg-type]  # texts, all of them


# -------------------------------------------------------------------------------------- what calls


def called_in_source() -> set[str]:
    return {NAMED.get(action, action) for action in _called()}


def _called() -> Iterator[str]:
    """Every action that the package can ask of AWS, by its name or by its method's."""
    session = botocore.session.get_session()
    operations = {name: session.get_service_model(name).operation_names for name in SERVICES}
    by_name = {each: f"{name}:{each}" for name, known in operations.items() for each in known}
    # Of a name that several services have, it is the one that somebody is granted.
    granted = {action for grant in GRANTS for action in grant.actions}
    by_name |= {each.partition(":")[2]: each for each in granted if each.split(":")[0] in SERVICES}
    by_method = {botocore.xform_name(each): action for each, action in by_name.items()}
    for path in sorted((ROOT / "kcl_py").rglob("*.py")):
        inside = path.relative_to(ROOT / "kcl_py").as_posix()
        if inside.startswith((*ON_THE_MACHINE, "iam/")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in by_method:
                yield by_method[node.attr]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                if node.value in by_name:
                    yield by_name[node.value]
                elif re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z]+", node.value):
                    yield node.value


def test_everything_that_the_source_can_call_is_in_a_policy() -> None:
    known = {action for grant in GRANTS for action in grant.actions}

    assert called_in_source() - known == set()


def test_nothing_waits_or_pages_by_calls_that_are_not_seen_here() -> None:
    """boto3's waiters and paginators call under names of their own."""
    inside = [path.relative_to(ROOT / "kcl_py") for path in (ROOT / "kcl_py").rglob("*.py")]
    ours = [path for path in inside if not path.as_posix().startswith(ON_THE_MACHINE)]
    texts = [(ROOT / "kcl_py" / path).read_text(encoding="utf-8") for path in ours]

    assert [text for text in texts if "get_waiter" in text or "get_paginator" in text] == []


def test_everything_in_a_policy_that_is_ours_is_called_by_the_source() -> None:
    ours = {action for grant in GRANTS if not grant.by_service for action in grant.actions}
    # Spelled in two parts: f"{which}StreamRetentionPeriod".
    parted = {f"kinesis:{which}StreamRetentionPeriod" for which in ("Increase", "Decrease")}

    assert ours - called_in_source() - parted == set()


# ---------------------------------------------------------------------------------- what is printed


def test_the_command_prints_the_policy_of_the_settings(kcl: Kcl) -> None:
    at = ("--stream", STREAM, "--app", "greeter")
    typed = kcl("iam", "policy", "worker", *at, "--set", "table.name=other", "--kms", KEY)

    assert typed.code == 0
    scope = Scope(stream_arn=STREAM, table="other", app="greeter", stream_key=KEY)
    assert json.loads(typed.out) == policy(Role.WORKER, scope)


def test_the_command_asks_for_tags_only_when_they_are_set(kcl: Kcl) -> None:
    at = ("--stream", STREAM, "--app", "greeter")
    some = kcl("iam", "policy", "worker", *at, "--set", "table.tags=a=b", "-o", "jsonl")
    none = kcl("iam", "policy", "worker", *at, "--set", "table.tags=a=b", "--no-create-table")

    assert "dynamodb:TagResource" in some.out
    assert "dynamodb:TagResource" not in none.out
    assert len(some.out.splitlines()) == 1


def test_the_command_tells_queues_and_buckets_apart(kcl: Kcl) -> None:
    queue = "arn:aws:sqs:eu-west-1:111122223333:dead"
    at = ("iam", "policy", "worker", "--stream", STREAM, "--app", "greeter")
    typed = kcl(*at, "--letters", queue, "--letters", "s3://bucket/dead")

    scope = Scope(
        stream_arn=STREAM, table="greeter", letters_queue=queue, letters_bucket="bucket/dead"
    )
    assert json.loads(typed.out) == policy(Role.WORKER, scope)
    assert kcl(*at, "--letters", "dead").failed(2, "no ARN of a queue")
    assert kcl(*at, "--letters", queue, "--letters", queue).failed(2, "one queue")


def test_a_producer_needs_no_application(kcl: Kcl) -> None:
    assert kcl("iam", "policy", "producer", "--stream", STREAM).code == 0
    assert kcl("iam", "policy", "worker", "--stream", STREAM).failed(2, "--app NAME")
    assert kcl("iam", "policy", "worker", "--app", "a", "--stream", "people").failed(2, "ARN")
    assert kcl("iam", "policy", "nobody").failed(2, "nobody")


def test_help_begins_with_the_summary_and_ends_with_examples(kcl: Kcl) -> None:
    for name, entry in IAM_COMMANDS.items():
        typed = kcl("iam", name, "--help")

        assert (entry.load().__doc__ or "").partition("\n")[0] == entry.summary
        assert " ".join(entry.summary.split()) in " ".join(typed.out.split())
        assert all(f"    {example}\n" in typed.out for example in entry.examples)


@pytest.mark.parametrize("role", list(Role))
def test_the_files_are_as_they_would_be_made_now(
    role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    made = importlib.import_module("iam_reference").policy_file(role)

    path = ROOT / "deploy" / "iam" / f"{role}.json"
    assert path.read_text(encoding="utf-8") == made, "run: python docs/make_reference.py"


def test_no_file_of_a_role_that_is_not() -> None:
    found = {path.name for path in Path(ROOT / "deploy" / "iam").iterdir()}

    assert found == {f"{role}.json" for role in Role}


def test_the_judge_of_the_whole_suite_complains_of_both() -> None:
    ours = [action for grant in GRANTS for action in grant.actions]

    assert suite.complaints(ours) == []
    assert suite.complaints([*ours, "kinesis:PutRecord"]) == [
        "kinesis:PutRecord is called, and in no policy"
    ]
    assert "kinesis:GetRecords is in a policy, and never called" in suite.complaints([])
