"""Do numbers, and spans with links to their producers, arrive where the page sends them?

As the page says it, with a receiver of OTLP on 127.0.0.1 in the place of yours.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.docs.pages import DOCS, Block, Claim, blocks_of, claims
from tests.docs.shell import open_shell

PAGE: Final = DOCS / "how-to" / "trace.md"
PUT: Final = """\
from kcl_py import Producer
from traced_orders import put_order
with Producer("orders") as producer:
    for customer in ("ann", "bob"):
        put_order(producer, customer)
"""


def commands() -> Block:
    [found] = [each for each in blocks_of(PAGE) if each.kind == "sh"]
    return found


def claimed_blocks() -> Iterator[Claim]:
    """See `tests.docs.pages.Claim`."""
    yield from claims(PAGE, [commands()])


@dataclass
class Received:
    """What came, decoded."""

    url: str
    spans: list[Any] = field(default_factory=list)
    metrics: set[str] = field(default_factory=set)

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            for told in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {one.name for scope in told.scope_metrics for one in scope.metrics}


@contextmanager
def receiver() -> Iterator[Received]:
    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    received = Received(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
def test_the_page_can_be_typed_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    *lines, run = commands().text.splitlines()
    install = lines.pop(0).removeprefix("pip install ").split()
    assert all(version(package) for package in install)

    with receiver() as received, open_shell(tmp_path) as shell:
        shell.type("kcl stream create orders --shards 1 --wait")
        for line in lines:
            shell.type(line.replace("http://localhost:4318", received.url))
        shell.type(f"{run} >out.txt 2>err.txt & worker=$!")
        (tmp_path / "put.py").write_text(PUT, encoding="utf-8")
        shell.type("opentelemetry-instrument python put.py 2>put.txt")
        shell.type("until grep -q 'bill for bob' out.txt; do sleep 0.1; done")
        said = shell.type("kill $worker; wait $worker; echo code $?")
        assert said == "code 0\n", (tmp_path / "err.txt").read_text(encoding="utf-8")

    puts = {span.span_id for span in received.spans if span.name == "put order"}
    batches = [span for span in received.spans if span.name == "process orders"]
    linked = {link.span_id for span in batches for link in span.links}
    assert len(puts) == 2, (tmp_path / "put.txt").read_text(encoding="utf-8")
    assert linked == puts
    assert len([span for span in received.spans if span.name == "bill"]) == 2
    catalogue = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")
    ours = {name for name in received.metrics if name.startswith("kcl.")}
    assert "kcl.records_processed" in ours
    assert not [name for name in ours if re.sub(r"\W", "_", name) not in catalogue]
