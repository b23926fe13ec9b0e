"""How is a producer put together? Arguments checked, clients made, nobody asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from kcl_py.aws.names import place_of
from kcl_py.aws.put import PutPort, open_port
from kcl_py.aws.retry import Patience
from kcl_py.core.puts import KEY_CHARACTERS_MAX, RECORD_BYTES_ALWAYS, RECORD_BYTES_EVER
from kcl_py.errors import ConfigError
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.machine import SENDS_MAX
from kcl_py.producer.encoding import encode
from kcl_py.producer.engine import HOW_TO_END, Engine
from kcl_py.producer.records import hash_key_text, key_bytes

if TYPE_CHECKING:
    import boto3.session

    from kcl_py.producer.results import Encoder, PutFailure
    from kcl_py.streams.stream import Stream

LIMIT_SECONDS: Final = 60.0
"""How long an answer about the stream's limit holds; it can be raised at any time."""


class Opened:
    """A producer's engine, and what it needs to take a record in. Thread-safe.

    Attributes:
        size_free: Larger records go to `check_size` first.
    """

    def __init__(self, engine: Engine, port: PutPort, encoder: Encoder | None) -> None:
        self.engine = engine
        self._port = port
        self._encoder = encoder
        self._limit: tuple[int, float] | None = None
        self.patience = Patience()
        self._asking = threading.Lock()
        self.size_free = min(RECORD_BYTES_ALWAYS, engine.core.ledger.size_max)

    def encode(self, data: object) -> bytes:
        """Return what is stored."""
        return encode(data, self._encoder)

    def check_size(self, size: int) -> None:
        """Refuse what the stream does not take; may ask it.

        Raises:
            RecordRefused: It is too large.
        """
        self.engine.refuse_size(size, RECORD_BYTES_EVER)
        if size > RECORD_BYTES_ALWAYS:
            self.engine.refuse_size(size, self._size_max(size))

    def _size_max(self, size: int) -> int:
        with self._asking:
            limit, clock = self._limit, self.engine.clock
            if limit is None or (size > limit[0] and clock() - limit[1] > LIMIT_SECONDS):
                limit = self._limit = self._ask(), clock()
            return limit[0]

    def _ask(self) -> int:
        told = self._port.record_limit(self.patience)
        if told.size_bytes is not None:
            return told.size_bytes
        # Whoever describes a stream without a limit knows no other than the old one. If nobody
        # may ask, the service decides.
        return RECORD_BYTES_ALWAYS if told.failure is None else RECORD_BYTES_EVER


def fill(kind: type[Any], opened: Opened, data: object, key: str | None, hash_key: Any) -> Any:  # noqa: ANN401
    """Make the record of a put.

    Raises:
        RecordRefused: Data or keys cannot be put.
    """
    raw = data if type(data) is bytes else opened.encode(data)
    if key is None:
        key = f"{opened.engine.rng.getrandbits(64):016x}"
        size = len(raw) + 16
    else:
        # Plain keys are seen at once: this is for every record.
        is_plain = type(key) is str and key.isascii() and 0 < len(key) <= KEY_CHARACTERS_MAX
        size = len(raw) + (len(key) if is_plain else key_bytes(key))
    text = None if hash_key is None else hash_key_text(hash_key)
    return kind(raw, key, text, size, opened.engine)


def check_arguments(
    stream: str | Stream,
    config: ProducerConfig,
    encoder: Encoder | None,
    on_failure: Callable[[PutFailure], None] | None,
) -> None:
    """Refuse what is none of these.

    Raises:
        ConfigError: An argument is wrong; the message names it.
    """
    place_of(stream)
    if not isinstance(config, ProducerConfig):
        raise ConfigError(f"config must be a ProducerConfig, not {type(config).__name__}")
    for name, given in (("encoder", encoder), ("on_failure", on_failure)):
        if given is not None and not callable(given):
            raise ConfigError(f"{name} = {given!r} cannot be called; give a function")


def open_producer(
    stream: str | Stream,
    *,
    config: ProducerConfig,
    encoder: Encoder | None,
    on_failure: Callable[[PutFailure], None] | None,
    session: boto3.session.Session | None,
    client_arguments: Mapping[str, Any] | None = None,
    how_to_end: str = HOW_TO_END,
) -> Opened:
    """Make clients and engine.

    Raises:
        ConfigError, NoCredentials: As `open_port`; also a stream that has no such name.
    """
    place = place_of(stream)
    port = open_port(
        place.address,
        region=config.region or place.region,
        endpoint_url=config.endpoint_url or place.endpoint_url,
        session=session or place.session,
        connections=SENDS_MAX,
        client_arguments=client_arguments,
    )
    engine = Engine(config, port, on_failure=on_failure, how_to_end=how_to_end)
    return Opened(engine, port, encoder)
