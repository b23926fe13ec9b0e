"""`kcl put`: one record into a stream, and where it is now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from kcl_py.cli.options import Output, Shared
from kcl_py.errors import ConfigError

TRY_SECONDS: Final = 60.0
"""Without --timeout. As `ProducerConfig.record_ttl`."""


def put(
    shared: Shared,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STREAM] DATA",
            help="Where to, unless --stream says it; and what: text, @FILE, or - for stdin.",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="Partition key; else random.")
    ] = None,
    hash_key: Annotated[
        str | None,
        typer.Option("--hash-key", metavar="N", help="Explicit hash key, 0 to 2**128 - 1."),
    ] = None,
    base64: Annotated[bool, typer.Option("--base64", help="The data is base64.")] = False,
) -> int:
    """Put one record, and show its shard and sequence number.

    The data is stored as it is; a file or stdin as a whole, its last line end included.
    """
    from kcl_py.cli.output import print_json, print_jsonl

    stream, given = _named(shared, names or [])
    data = _decoded(given) if base64 else given
    found = _put(shared, stream, data, key, hash_key)
    if shared.form is Output.JSON:
        print_json(found)
    elif shared.form is Output.JSONL:
        print_jsonl([found])
    else:
        sys.stdout.write(f"{found['shard_id']}  {found['sequence_number']}\n")
    return 0


def _named(shared: Shared, names: list[str]) -> tuple[str, bytes]:
    match names:
        case [data]:
            if shared.stream is None:
                raise ConfigError(
                    f"{data!r} is taken for the data, and no stream is named; "
                    "write kcl put STREAM DATA, give --stream, or set KCL_STREAM"
                )
            stream = shared.needed_stream()
        case [stream, data]:
            if shared.stream is not None and shared.stream != stream:
                raise ConfigError(
                    f"two streams are named, {stream} and, by --stream or "
                    f"KCL_STREAM, {shared.stream}; name one"
                )
        case []:
            raise ConfigError("there is nothing to put; give text, @FILE, or - for stdin")
        case _:
            raise ConfigError(f"{len(names)} arguments are too many; put quotes around the data")
    return stream, _read(data)


def _read(data: str) -> bytes:
    if data == "-":
        from kcl_py.cli.output import say_reading

        say_reading("the data")
        return sys.stdin.buffer.read()
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{data[1:]} cannot be read: {error.strerror}; data that begins with @ comes from "
            "stdin, by -"
        ) from None


def _decoded(data: bytes) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("the data is no base64; leave --base64 out to put it as it is") from None


def _put(
    shared: Shared, stream: str, data: bytes, key: str | None, hash_key: str | None
) -> dict[str, object]:
    from contextlib import suppress

    from kcl_py.cli.errors import OutOfTime
    from kcl_py.cli.session import make_session
    from kcl_py.errors import PutFailed, RecordRefused, Undelivered
    from kcl_py.producer.client import Producer
    from kcl_py.producer.config import MIB, ProducerConfig

    reached, seconds = shared.worker_config(), shared.timeout_seconds
    config = ProducerConfig(
        linger=0.0,
        record_ttl=seconds or TRY_SECONDS,
        buffer_bytes=64 * MIB,
        region=reached.region,
        endpoint_url=reached.kinesis_endpoint_url,
    )
    producer = Producer(stream, config=config, session=make_session(shared))
    try:
        result = producer.put(data, key=key, hash_key=hash_key).result(seconds)
    except RecordRefused as error:
        raise ConfigError(str(error)) from None
    except PutFailed as error:
        raise _failed(error) from None
    except TimeoutError:
        raise OutOfTime(f"no answer within {shared.timeout}; it may be stored") from None
    finally:
        # Whatever is under way by now, nobody waits for it.
        with suppress(Undelivered):
            producer.close(0)
    return {
        "stream": stream,
        "shard_id": result.shard_id,
        "sequence_number": result.sequence_number,
        "attempts": result.attempts,
    }


def _failed(error: Exception) -> Exception:
    from kcl_py.cli.producing.delivering import DENIED, LISTED, NOT_FOUND
    from kcl_py.errors import AccessDenied, PutFailed, ServiceError, StreamNotFound

    assert isinstance(error, PutFailed)
    failure = error.failure
    if failure.error_code == NOT_FOUND:
        said = failure.error_message.removeprefix(f"{NOT_FOUND}: ")
        return StreamNotFound(f"{said}; {LISTED}")
    if failure.error_code in DENIED:
        return AccessDenied(failure.error_message, action="kinesis:PutRecords")
    return ServiceError(str(error))
