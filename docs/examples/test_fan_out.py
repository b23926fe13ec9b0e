from __future__ import annotations

from contextlib import closing
from itertools import islice

from kcl_py.local import Engine
from kcl_py.streams import ensure_stream

from fan_out import pushed


def test_records_are_pushed() -> None:
    with Engine() as engine:
        kinesis = engine.session().client("kinesis")
        stream = ensure_stream("people", session=engine.session())
        for name in ("ada", "alan"):
            kinesis.put_record(StreamName="people", Data=name.encode(), PartitionKey=name)
        arn = kinesis.register_stream_consumer(
            StreamARN=stream.describe().arn, ConsumerName="watcher"
        )["Consumer"]["ConsumerARN"]
        while _status(kinesis, arn) != "ACTIVE":
            """It is being made."""

        with closing(pushed(kinesis, arn)) as records:
            assert [record["Data"] for record in islice(records, 2)] == [b"ada", b"alan"]
        kinesis.close()


def _status(kinesis: object, arn: str) -> str:
    described = kinesis.describe_stream_consumer(ConsumerARN=arn)  # type: ignore[attr-defined]
    return str(described["ConsumerDescription"]["ConsumerStatus"])
