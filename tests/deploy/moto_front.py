"""What does Terraform ask Application Auto Scaling that moto does not know? Tags; there are none.

A door in front of moto: that one question is answered here, and all others are passed on.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

PASSED_ON: Final = ("Authorization", "Content-Type", "X-Amz-Date", "X-Amz-Target")
PATIENCE_SECONDS: Final = 60.0


@contextmanager
def front_of(moto: str) -> Iterator[str]:
    """Open the door; yields its address."""

    class Door(BaseHTTPRequestHandler):
        """One request."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["X-Amz-Target"].endswith(".ListTagsForResource"):
                self.answer(200, b'{"Tags": {}}')
                return
            connection = http.client.HTTPConnection(urlsplit(moto).netloc, timeout=PATIENCE_SECONDS)
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            connection.request("POST", self.path, body, headers)
            said = connection.getresponse()
            self.answer(said.status, said.read())
            connection.close()

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
