"""What do the contenders talk to? The embedded engine, with pages and answers rendered beforehand.

    python -m tests.bench.server --shards 8 --pages 10 --records 1000 --record-bytes 1000

A process of its own, so that its time is not counted. It listens on 127.0.0.1, prints its URL, and
ends when its standard input does. Everything but reading and putting records is the embedded
engine's: the lease table, the list of shards. What is put is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from kcl_py.local.dynamo import Dynamo, DynamoSettings
from kcl_py.local.faults import Asked, FaultPlan
from kcl_py.local.front import Answer, Front, HttpRequest, Plan
from kcl_py.local.kinesis import Kinesis, KinesisSettings
from kcl_py.local.server import HOST, Connection
from tests.bench import puts
from tests.bench.pages import Pages, iterator, page_after, place_of

STREAM: Final = "people"


class Gaps:
    """How long did rows of the lease table wait for their next write? Seconds.

    Only rows of shards: a worker's own row is written in another rhythm.
    """

    def __init__(self) -> None:
        self._written_at: dict[str, float] = {}
        self._longest: dict[str, float] = {}

    def written(self, key: str) -> None:
        """A write of this row was answered with success."""
        if key.startswith("shardId-"):
            now = time.monotonic()
            gap = now - self._written_at.get(key, now)
            self._longest[key] = max(self._longest.get(key, 0.0), gap)
            self._written_at[key] = now

    def forget(self) -> None:
        """Gaps that have ended do not count; those that have begun do, from their beginning."""
        self._longest.clear()

    def longest(self) -> list[float]:
        """Return the longest gap of each row, the one that has not ended included."""
        now = time.monotonic()
        return [max(self._longest.get(key, 0.0), now - at) for key, at in self._written_at.items()]


class PageFront(Front):
    """The engine's front, but records come out of `pages`.

    `GET /_kcl/stub` says how long rows waited for writes since the last `DELETE /_kcl/requests`,
    and what CPU this process has spent.
    """

    pages: Pages
    gaps: Gaps
    shards: int

    def plan(self, http: HttpRequest) -> Plan:
        """What to do about this request."""
        match http.headers.get("x-amz-target", "").partition("."):
            case ("Kinesis_20131202", _, "GetRecords"):
                self._counts["kinesis", "GetRecords", "ok"] += 1
                shard_id, page = place_of(json.loads(http.body)["ShardIterator"])
                return _at_once(self.pages.answer(shard_id, page))
            case ("Kinesis_20131202", _, "GetShardIterator"):
                asked = json.loads(http.body)
                sequence_number = asked.get("StartingSequenceNumber")
                page = 0 if sequence_number is None else page_after(sequence_number)
                answer = {"ShardIterator": iterator(asked["ShardId"], page)}
                return _at_once(json.dumps(answer).encode())
            case ("Kinesis_20131202", _, "PutRecords"):
                self._counts["kinesis", "PutRecords", "ok"] += 1
                return _at_once(puts.answer(http.body, self.shards))
        return super().plan(http)

    def _run(self, asked: Asked) -> Answer:
        answer = super()._run(asked)
        if asked.operation == "UpdateItem" and answer.status == HTTPStatus.OK:
            self.gaps.written(asked.request["Key"]["leaseKey"]["S"])
        return answer

    def _control(self, http: HttpRequest) -> Answer:
        if (http.method, http.path) == ("GET", "/_kcl/stub"):
            found = {"gaps": self.gaps.longest(), "cpu": time.process_time()}
            return Answer(HTTPStatus.OK, found)
        if (http.method, http.path) == ("DELETE", "/_kcl/requests"):
            self.gaps.forget()
        return super()._control(http)


def _at_once(body: bytes) -> Plan:
    return Plan(lambda: Answer(200, body, "kinesis"))


def front_with(pages: Pages, shards: int) -> PageFront:
    """Return a front with a stream of so many shards."""
    kinesis = Kinesis(time.time, random.Random(1), KinesisSettings(create_seconds=0.0))
    dynamo = Dynamo(time.time, random.Random(2), DynamoSettings())
    front = PageFront(kinesis, dynamo, FaultPlan(0), time.time, random.Random(3))
    front.pages = pages
    front.gaps = Gaps()
    front.shards = shards
    kinesis.call("CreateStream", {"StreamName": STREAM, "ShardCount": shards})
    return front


async def serve(front: Front, context: ssl.SSLContext | None) -> None:
    """Serve until the standard input ends."""
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    server = await loop.create_server(
        lambda: Connection(front, connections), HOST, 0, ssl=context, backlog=1024
    )
    port = server.sockets[0].getsockname()[1]
    scheme = "http" if context is None else "https"
    sys.stdout.write(json.dumps({"endpoint_url": f"{scheme}://{HOST}:{port}"}) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server")
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--pages", type=int, default=0, help="of each shard; 0: it is always idle")
    parser.add_argument("--records", type=int, default=1, help="in each page")
    parser.add_argument("--record-bytes", type=int, default=100)
    parser.add_argument("--tls", type=Path, help="folder with cert.pem and key.pem")
    options = parser.parse_args()
    pages = Pages(records=options.records, record_bytes=options.record_bytes, count=options.pages)
    context: Any = None
    if options.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls / "cert.pem", options.tls / "key.pem")
    asyncio.run(serve(front_with(pages, options.shards), context))


if __name__ == "__main__":
    main()
