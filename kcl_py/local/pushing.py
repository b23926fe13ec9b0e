"""How do a subscription's events go down a connection as they become due?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from kcl_py.local.event_stream import chunk, encode_event, initial_response
from kcl_py.local.kinesis.subscriptions import Event, Subscription

_log = logging.getLogger("kcl_py.local")

_PAUSE_SECONDS_MIN = 0.001


class Push:
    """Sends one event at a time, and none while the client does not keep up."""

    def __init__(
        self,
        subscription: Subscription,
        clock: Callable[[], float],
        write: Callable[[bytes], None],
        done: Callable[[], None],
    ) -> None:
        self._subscription = subscription
        self._clock = clock
        self._write = write
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._is_paused = False

    def start(self) -> None:
        """Say that the subscription stands, and begin."""
        self._write(chunk(initial_response()))
        self._subscription.attach(self._soon)
        self._soon()

    def pause(self) -> None:
        """Wait: what was written has not gone out yet."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on."""
        self._is_paused = False
        self._soon()

    def stop(self) -> None:
        """The connection is gone."""
        self._subscription.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _soon(self) -> None:
        self._arm(None)

    def _arm(self, seconds: float | None) -> None:
        """Ask the subscription after so long; None is as soon as others had their turn."""
        if self._timer is not None:
            self._timer.cancel()
        if seconds is None:
            self._timer = self._loop.call_soon(self._go_on)
        else:
            self._timer = self._loop.call_later(seconds, self._go_on)

    def _take(self) -> Event | None:
        try:
            return self._subscription.take()
        except Exception:  # noqa: BLE001 - logged; the client is told and may go on
            _log.exception("engine.crashed kinesis SubscribeToShard")
            self._subscription.close()
            broken = {"message": "a bug of the engine; see its log"}
            return Event("InternalFailureException", broken, is_error=True)

    def _go_on(self) -> None:
        self._timer = None
        if self._is_paused:
            return
        event = self._take()
        if event is not None:
            self._write(chunk(encode_event(event)))
        if self._subscription.is_over:
            self._subscription.close()
            self._write(chunk(b""))
            self._done()
        elif event is not None:
            self._soon()
        else:
            pause = self._subscription.wakes_at - self._clock()
            self._arm(max(pause, _PAUSE_SECONDS_MIN))
