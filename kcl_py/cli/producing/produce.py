"""`kcl produce`: everything that a file, a pipe or a demo holds, into a stream."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kcl_py.cli.options import Output, Shared
from kcl_py.cli.producing.forms import Aggregation, Demo, Format, Order
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.cli.producing.delivering import Run, Wish
    from kcl_py.cli.producing.opening import Input
    from kcl_py.cli.producing.stopping import Stopping
    from kcl_py.producer.client import Producer
    from kcl_py.producer.config import ProducerConfig
    from kcl_py.producer.results import PutFailure


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STREAM] [FILE|-]",
        help="Where to, unless --stream says it; and from where: a file, else stdin.",
    ),
]
Form = Annotated[
    Format,
    typer.Option(
        "--format", help="What the input is taken for; auto: by its name, or how it begins."
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="FIELD", help="Partition key, as user.id; else random."),
]
HashKey = Annotated[
    str | None, typer.Option("--hash-key", metavar="FIELD", help="Explicit hash key.")
]
MadeUp = Annotated[
    Demo | None, typer.Option("--demo", help="Make up records in the place of an input.")
]
Rate = Annotated[
    str | None, typer.Option("--rate", metavar="N/s", help="No faster than this, as 20/s.")
]
Count = Annotated[
    int | None, typer.Option("--count", "-n", metavar="N", min=1, help="End after so many.")
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out lines that are no record, and name them.")
]
Failed = Annotated[
    Path | None,
    typer.Option(
        "--failed", metavar="FILE", help="What was not delivered; --format failed reads it."
    ),
]
Ordering = Annotated[
    Order, typer.Option("--order", help="per_key: records of one key stay in order.")
]
Packing = Annotated[
    Aggregation,
    typer.Option("--aggregation", help="per_shard: pack many records into one, as the KPL."),
]
Linger = Annotated[
    str, typer.Option("--linger", metavar="TIME", help="How long a record waits for company.")
]
RecordTtl = Annotated[
    str,
    typer.Option("--record-ttl", metavar="TIME", help="How long to try before giving one up."),
]
ShardRate = Annotated[
    float | None,
    typer.Option("--shard-rate", metavar="N", help="Records per second for each shard."),
]


def produce(  # noqa: PLR0913 - a flag each
    shared: Shared,
    *,
    names: Names = None,
    form: Form = Format.AUTO,
    key: Key = None,
    hash_key: HashKey = None,
    demo: MadeUp = None,
    rate: Rate = None,
    count: Count = None,
    skip_bad: SkipBad = False,
    failed: Failed = None,
    order: Ordering = Order.NONE,
    aggregation: Packing = Aggregation.OFF,
    linger: Linger = "100ms",
    record_ttl: RecordTtl = "5m",
    shard_rate: ShardRate = None,
) -> int:
    """Put records from a file, stdin or a demo into a stream.

    Reads JSON lines, a JSON array, CSV with a header, or text, each line a record, as it comes.
    While the stream takes no more it reads no further. Ctrl-C ends reading and delivers what was
    read; a second one ends at once. The exit code is 0 only if everything was delivered.
    """
    from kcl_py.cli.producing.delivering import Wish
    from kcl_py.cli.producing.opening import rate_of

    stream, file = _named(shared, names or [])
    if demo is not None and (file is not None or form is not Format.AUTO):
        raise ConfigError("--demo makes its records up; name no file and no --format")
    config = _config(shared, order, aggregation, linger, record_ttl, shard_rate)
    pace = None if rate is None else rate_of(rate)
    wish = Wish(key=key, hash_key=hash_key, rate=pace, most=count, skips_bad=skip_bad)

    def opened(stopping: Stopping) -> Input:
        from kcl_py.cli.producing.opening import open_demo, open_input

        if demo is not None:
            return open_demo(demo, count)
        return open_input(file, form, stopping.next_of)

    return _carry_out(shared, stream, opened, wish=wish, config=config, failed=failed)


def _carry_out(
    shared: Shared,
    stream: str,
    opened: Callable[[Stopping], Input],
    *,
    wish: Wish,
    config: ProducerConfig,
    failed: Path | None,
) -> int:
    from kcl_py.cli.output import say
    from kcl_py.cli.producing.board import Board
    from kcl_py.cli.producing.delivering import Run
    from kcl_py.cli.producing.inputs import check_fields
    from kcl_py.cli.producing.stopping import Stopping
    from kcl_py.cli.producing.undelivered import Undeliverable

    with ExitStack() as stack:
        stopping = stack.enter_context(Stopping(shared.timeout_seconds))
        source = stack.enter_context(closing(opened(stopping)))
        if stopping.reason is None:
            check_fields(
                source.form, [path for path in (wish.key, wish.hash_key) if path is not None]
            )
        undeliverable = Undeliverable(failed, source.path)
        stack.callback(undeliverable.close)
        run = Run(
            replace(wish, place=source.place),
            producer=_opening(shared, stream, config),
            stopping=stopping,
            undeliverable=undeliverable,
            board=Board(shared, f"to {stream}", total=source.total, done=source.done),
            say=say,
        )
        run.all(source.records)
    return _tell(shared, stream, run, source)


def _named(shared: Shared, names: list[str]) -> tuple[str, str | None]:
    """Tell stream and file apart."""
    if len(names) > 2:  # noqa: PLR2004 - a stream and a file
        raise ConfigError(f"{' '.join(names)} is too much; give a stream and a file")
    if shared.stream is None:
        first, *rest = names or [shared.needed_stream()]
        return first, rest[0] if rest else None
    if len(names) == 2:  # noqa: PLR2004
        if names[0] != shared.stream:
            raise ConfigError(
                f"two streams are named, {names[0]} and, by --stream or "
                f"KCL_STREAM, {shared.stream}; name one"
            )
        return shared.stream, names[1]
    file = names[0] if names and names[0] != shared.stream else None
    return shared.stream, file


def _config(
    shared: Shared,
    order: Order,
    aggregation: Aggregation,
    linger: str,
    record_ttl: str,
    shard_rate: float | None,
) -> ProducerConfig:
    from kcl_py.cli.producing.opening import seconds_of
    from kcl_py.producer.config import ProducerConfig

    reached = shared.worker_config()
    return ProducerConfig(
        order=cast("Any", order.value),
        aggregation=cast("Any", aggregation.value),
        linger=seconds_of("--linger", linger),
        record_ttl=seconds_of("--record-ttl", record_ttl),
        records_per_second_per_shard=shard_rate,
        # Full means that the input waits, where signals are heard.
        when_full="raise",
        region=reached.region,
        endpoint_url=reached.kinesis_endpoint_url,
    )


def _tell(shared: Shared, stream: str, run: Run, source: Input) -> int:
    """Say what became of it; return the exit code."""
    from kcl_py.cli.output import print_json, print_jsonl, say
    from kcl_py.cli.producing.outcome import outcome, summary, verdict

    found = outcome(run, stream)
    if shared.form is Output.JSON:
        print_json(found)
    elif shared.form is Output.JSONL:
        print_jsonl([found])
    else:
        sys.stdout.write(summary(found) + "\n")
    code, problem = verdict(run, source)
    if problem:
        say(f"error: {problem}")
    return code


def _opening(
    shared: Shared, stream: str, config: ProducerConfig
) -> Callable[[Callable[[PutFailure], None]], Producer]:
    def make(on_failure: Callable[[PutFailure], None]) -> Producer:
        from kcl_py.cli.session import make_session
        from kcl_py.producer.client import Producer

        session = make_session(shared)
        return Producer(stream, config=config, on_failure=on_failure, session=session)

    return make
