"""`kcl iam policy`: what must AWS allow to whom?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from kcl_py.cli.options import Output, Shared
from kcl_py.errors import ConfigError
from kcl_py.iam import Role

if TYPE_CHECKING:
    from kcl_py.iam import Scope

Key = Annotated[
    str | None, typer.Option("--kms", metavar="ARN", help="Key that encrypts the stream.")
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="ID", help="Of the lease table, if not the stream's."),
]
Namespace = Annotated[
    str | None,
    typer.Option("--metrics", metavar="NAMESPACE", help="Metrics go to CloudWatch, there."),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--auto-scaling-group", metavar="NAME", help="Whose lifecycle hook waits for drains."
    ),
]
Letters = Annotated[
    list[str] | None,
    typer.Option(
        "--letters",
        metavar="URL|ARN",
        help="Dead letters go there: s3://BUCKET/PREFIX, or the ARN of a queue of SQS.",
    ),
]


def policy(
    shared: Shared,
    *,
    role: Annotated[
        Role, typer.Argument(metavar="ROLE", help="worker, producer, operator or read-only.")
    ],
    no_create_table: Annotated[
        bool,
        typer.Option("--no-create-table", help="Workers find the lease table made beforehand."),
    ] = False,
    kms: Key = None,
    account: Account = None,
    metrics: Namespace = None,
    group: Group = None,
    letters: Letters = None,
) -> int:
    """Print the policy of least privilege as JSON: what the code calls, and no more.

    --stream must be an ARN. The lease table is as the settings say (table.name, table.tags, ...).
    """
    from kcl_py.cli.output import print_json, print_jsonl
    from kcl_py.iam import policy as make

    queue, bucket = _letters(letters or ())
    scope = replace(
        _scope(shared, may_create_table=not no_create_table),
        stream_key=kms,
        account=account,
        metrics=metrics,
        group=group,
        letters_queue=queue,
        letters_bucket=bucket,
    )
    document = make(role, scope)
    if shared.form is Output.JSONL:
        print_jsonl([document])
    else:
        print_json(document)
    return 0


def _scope(shared: Shared, *, may_create_table: bool) -> Scope:
    """What the settings say."""
    from kcl_py.iam import Scope

    config = shared.worker_config()
    return Scope(
        stream_arn=shared.needed_stream(),
        table=config.table.name or shared.app,
        app=shared.app,
        region=config.region,
        create_table=may_create_table and config.table.create,
        table_tags=bool(config.table.tags),
        table_backups=config.table.point_in_time_recovery,
        table_key=config.table.kms_key,
    )


def _letters(places: Sequence[str]) -> tuple[str | None, str | None]:
    """The queue and the bucket among them; what is neither is refused as a queue."""
    buckets = [place.removeprefix("s3://") for place in places if place.startswith("s3://")]
    queues = [place for place in places if not place.startswith("s3://")]
    if len(buckets) > 1 or len(queues) > 1:
        raise ConfigError("--letters takes one bucket and one queue; make a policy for each")
    return next(iter(queues), None), next(iter(buckets), None)
