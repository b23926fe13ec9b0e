"""How does a program run the engine as a process of its own, and never leave one behind?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kcl_py.local.environment import clean_environment

_STOP_SECONDS_MAX = 10.0
_CALL_SECONDS_MAX = 10.0


class EngineProcess:
    """An engine in a child process, which ends with this one even if this one is killed."""

    def __init__(self, *options: str) -> None:
        """Choose the options of `python -m kcl_py.local`; nothing starts yet."""
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._url: str | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "kcl_py.local", "--until-stdin-closes", *self._options]
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the engine did not start: exit code {self._process.wait()}")
        self._url = json.loads(line)["endpoint_url"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process, self._process, self._url = self._process, None, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            process.stdout.close()

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        if self._url is None:
            raise RuntimeError("the engine does not run; enter its `with` block first")
        return self._url

    @property
    def environment(self) -> Mapping[str, str]:
        """A whole environment for another child process that is to talk to the engine alone."""
        return clean_environment(os.environ, self.endpoint_url)

    def set_faults(self, rules: Sequence[Mapping[str, Any]], seed: int | None = None) -> None:
        """Put these fault rules in the place of all; see `faults.FaultRule`."""
        self._control("POST", "faults", {"rules": list(rules), "seed": seed})

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, with how often each struck."""
        rules: list[dict[str, Any]] = self._control("GET", "faults")["rules"]
        return rules

    def requests(self) -> dict[str, dict[str, dict[str, int]]]:
        """Counts by service, operation and outcome: `ok`, `cut` or the error's code."""
        counts: dict[str, dict[str, dict[str, int]]] = self._control("GET", "requests")
        return counts

    def _control(self, method: str, name: str, body: object = None) -> Any:  # noqa: ANN401
        request = urllib.request.Request(  # noqa: S310 - the URL is our own
            f"{self.endpoint_url}/_kcl/{name}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_CALL_SECONDS_MAX) as answer:
            return json.loads(answer.read())
