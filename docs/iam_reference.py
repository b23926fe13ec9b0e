"""How are the page of permissions and the example policies made? Part of `make_reference.py`."""

from __future__ import annotations

import json
from pathlib import Path

from kcl_py.iam import Needs, Role, Scope, grants_of, policy

POLICIES = Path(__file__).resolve().parent.parent / "deploy" / "iam"

EXAMPLE = Scope(
    stream_arn="arn:aws:kinesis:eu-west-1:111122223333:stream/orders", table="orders-app"
)

TITLES = {
    Role.WORKER: "what `kcl run` and `Worker` need",
    Role.PRODUCER: "`Producer`, `kcl put`, `kcl produce`",
    Role.OPERATOR: "all other commands; changes streams",
    Role.READ_ONLY: "the commands that only look; records too",
}

HEAD = """# Permissions
{made}

`kcl iam policy ROLE` prints these as a policy for your stream, table and settings:

```sh
kcl iam policy worker --app orders-app --stream arn:aws:kinesis:eu-west-1:111122223333:stream/orders
```

One table, `kcl_py/iam/grants.py`, is the source of that command, of this page, of the files in
[deploy/iam](../../deploy/iam), and of the roles in the [templates](../../deploy/README.md). The
tests run a worker, a producer and every command against the engine, record each call with the
resource that it names, and want what was called and what is allowed to be the same, both ways;
`KCL_TEST_RECORD_CALLS=FOLDER` does the same for the whole suite.

| role | is |
|---|---|"""

TAIL = """
`kms` actions and `dynamodb:TagResource` are asked for by the services themselves, with the rights
of whoever calls them. `NAME*` stands only where DynamoDB names a family of actions.

A stream of another account also needs a resource policy there, and is named by its ARN everywhere;
the lease table stays in the account of the workers: `--account`.
"""


def policy_file(role: Role) -> str:
    """The example policy of a role, as it stands in `deploy/iam`."""
    return json.dumps(policy(role, EXAMPLE), indent=2) + "\n"


def iam_page(made: str) -> str:
    """The page of the reference."""
    parts = [HEAD.format(made=made)]
    parts += [f"| `{role}` | {TITLES[role]} |" for role in Role]
    for role in Role:
        parts += [f"\n## `{role}`\n", "| statement | actions | on | why | given when |"]
        parts.append("|---|---|---|---|---|")
        for grant in grants_of(role):
            actions = ", ".join(f"`{action}`" for action in sorted(grant.actions))
            when = "" if grant.needs is Needs.ALWAYS else grant.needs.value
            on = "`*`" if grant.on.value == "*" else grant.on.value
            parts.append(f"| {grant.sid} | {actions} | {on} | {grant.why} | {when} |")
    return "\n".join(parts) + "\n" + TAIL


def write_policies() -> None:
    """Make the files in `deploy/iam`."""
    POLICIES.mkdir(exist_ok=True)
    for role in Role:
        (POLICIES / f"{role}.json").write_text(policy_file(role), encoding="utf-8")
