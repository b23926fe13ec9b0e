"""How does a program get Kinesis and DynamoDB for a while?"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kcl_py.local import snapshots
from kcl_py.local.dynamo import Dynamo, DynamoSettings
from kcl_py.local.environment import REGION, clean_environment
from kcl_py.local.faults import FaultPlan
from kcl_py.local.front import Front
from kcl_py.local.kinesis import Kinesis, KinesisSettings
from kcl_py.local.server import HOST, Server

if TYPE_CHECKING:
    import boto3.session

    from kcl_py.config import WorkerConfig

_START_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Everything that can be chosen about an engine.

    Attributes:
        port: 0 lets the system choose.
        data: Folder that keeps streams and tables over a restart; None keeps nothing.
        seed: Of table ids and fault rules.
    """

    port: int = 0
    data: str | PathLike[str] | None = None
    seed: int = 0
    kinesis: KinesisSettings = field(default_factory=KinesisSettings)
    dynamo: DynamoSettings = field(default_factory=DynamoSettings)


async def serve(
    settings: EngineSettings, on_ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve on this loop until `stop` is set; `on_ready` is called with the endpoint's URL."""
    clock = time.time
    kinesis = Kinesis(clock, random.Random(f"kinesis/{settings.seed}"), settings.kinesis)
    dynamo = Dynamo(clock, random.Random(f"dynamo/{settings.seed}"), settings.dynamo)
    folder = None if settings.data is None else Path(settings.data)
    if folder is not None:
        snapshots.load(folder, kinesis, dynamo)
    requests = random.Random(f"requests/{settings.seed}")
    server = Server(Front(kinesis, dynamo, FaultPlan(settings.seed), clock, requests))
    port = await server.start(settings.port)
    try:
        on_ready(f"http://{HOST}:{port}")
        await stop.wait()
    finally:
        await server.stop()
        if folder is not None:
            snapshots.save(folder, kinesis, dynamo)


class Engine:
    """Kinesis and DynamoDB on 127.0.0.1, served by a thread of this process.

    Everything is gone when the `with` block ends, unless `data` names a folder that keeps it.
    """

    def __init__(
        self, *, port: int = 0, limits: bool = True, data: str | PathLike[str] | None = None
    ) -> None:
        kinesis = KinesisSettings(limits=limits)
        self._settings = EngineSettings(port=port, data=data, kinesis=kinesis)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._url: str | None = None
        self._failure: BaseException | None = None

    @classmethod
    def from_settings(cls, settings: EngineSettings) -> Engine:
        """An engine with every choice made."""
        engine = cls()
        engine._settings = settings
        return engine

    def __enter__(self) -> Self:
        if self._thread is not None:
            raise RuntimeError("this engine runs already, or has run; make a new one")
        is_ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(is_ready,), name="kcl-local-engine", daemon=True
        )
        self._thread.start()
        is_ready.wait(_START_SECONDS_MAX)
        if self._url is None:
            raise RuntimeError("the engine did not start") from self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is None:
            return
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._url = None
        if self._failure is not None and error is None:
            raise RuntimeError("the engine failed") from self._failure

    @property
    def endpoint_url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:4567`."""
        if self._url is None:
            raise RuntimeError("the engine does not run; enter its `with` block first")
        return self._url

    @property
    def environment(self) -> Mapping[str, str]:
        """A whole environment for a child process: this one's, led to the engine alone."""
        return clean_environment(os.environ, self.endpoint_url)

    def session(self) -> boto3.session.Session:
        """A session whose clients talk to the engine, whatever the environment says."""
        from kcl_py.local.session import make_session  # noqa: PLC0415 - loads boto3, which is slow

        return make_session(self.endpoint_url)

    def config(self) -> WorkerConfig:
        """A configuration that leads a worker here."""
        from kcl_py.config import WorkerConfig  # noqa: PLC0415 - the engine serves without it

        return WorkerConfig(
            region=REGION,
            kinesis_endpoint_url=self.endpoint_url,
            dynamodb_endpoint_url=self.endpoint_url,
        )

    def _run(self, is_ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(is_ready))
        except BaseException as error:  # noqa: BLE001 - told to whoever enters or leaves the block
            self._failure = error
        finally:
            is_ready.set()

    async def _serve(self, is_ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()

        def ready(url: str) -> None:
            self._url = url
            is_ready.set()

        await serve(self._settings, ready, self._stop)
