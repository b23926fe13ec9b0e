"""Who owns the core? One thread, which reads the clock first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kcl_py.core.commands import Command, Finish, Report
from kcl_py.core.events import Event, StopAsked, WallRead, Woken
from kcl_py.errors import WorkerFailed
from kcl_py.shell.clock import SYSTEM_CLOCK, Clock
from kcl_py.shell.control import Control, Mailbox, StatusAsked
from tests.shell.tools import HandClock, ScriptedCore, worker_status


def finish_on_stop(event: Event) -> Sequence[Command]:
    return [Finish()] if isinstance(event, StopAsked) else []


def test_events_reach_the_core_in_order_until_it_is_done() -> None:
    core = ScriptedCore(finish_on_stop)
    mailbox = Mailbox()
    for event in (Woken(), Woken(), StopAsked(), Woken()):
        mailbox.put(event)

    error = Control(core, mailbox, HandClock().clock, lambda _: None).run()

    assert error is None
    told = [event for _, event in core.told if not isinstance(event, WallRead)]
    assert told == [Woken(), Woken(), StopAsked()]


def test_the_error_that_stopped_the_core_is_returned() -> None:
    problem = WorkerFailed("why")
    core = ScriptedCore(lambda _: [], first=[Finish(problem)])

    assert Control(core, Mailbox(), HandClock().clock, lambda _: None).run() is problem


def test_what_is_said_beside_the_finish_is_still_carried_out() -> None:
    reports: list[Command] = [Report("a"), Report("b")]
    core = ScriptedCore(lambda _: [], first=[reports[0], Finish(), reports[1]])
    done: list[Command] = []

    Control(core, Mailbox(), HandClock().clock, done.append).run()

    assert done == reports


def test_the_clock_is_read_before_the_core_is_asked_and_commands_go_out_after() -> None:
    """A fence counts from that reading, so it must not be later than the send."""
    readings = iter(range(1000))
    log: list[str] = []
    clock = Clock(now=lambda: float(next(readings)), wall=lambda: 5.0)
    mailbox = Mailbox()
    mailbox.put(StopAsked())

    class Core(ScriptedCore):
        def receive(self, now: float, event: Event) -> list[Command]:
            log.append(f"asked at {now}")
            return super().receive(now, event)

    core = Core(lambda event: [Report("sent"), *finish_on_stop(event)])
    Control(core, mailbox, clock, lambda _: log.append(f"sent at {clock.now()}")).run()

    asked = [float(line.split()[-1]) for line in log if line.startswith("asked")]
    sent = [float(line.split()[-1]) for line in log if line.startswith("sent")]
    assert all(before < after for before, after in zip(asked, sent, strict=True))


def test_the_wall_clock_comes_before_the_first_event_after_a_pause() -> None:
    core = ScriptedCore(finish_on_stop)
    mailbox = Mailbox()
    mailbox.put(StopAsked())

    Control(core, mailbox, HandClock().clock, lambda _: None).run()

    assert [type(event) for _, event in core.told] == [WallRead, StopAsked]


def test_a_thread_held_up_between_two_clocks_does_not_look_like_a_jump() -> None:
    """Found by thinking: a convoy on the interpreter lock would have fenced every lease."""
    times = iter([0.0, 0.7])
    held_up = Clock(now=lambda: next(times), wall=lambda: 5.0)
    assert held_up.both() is None
    assert Clock(now=lambda: 3.0, wall=lambda: 5.0).both() == (3.0, 5.0)


def test_a_wakeup_that_is_due_needs_no_event() -> None:
    hand = HandClock()
    core = ScriptedCore(lambda event: [Finish()] if isinstance(event, Woken) else [])
    core.wakeup = hand.time - 1

    Control(core, Mailbox(), hand.clock, lambda _: None).run()

    assert [type(event) for _, event in core.told] == [WallRead, Woken]


def test_the_real_clock_counts_seconds_and_does_not_go_back() -> None:
    first, second = SYSTEM_CLOCK.now(), SYSTEM_CLOCK.now()
    assert 0 <= second - first < 60
    assert SYSTEM_CLOCK.wall() > 1.6e9


def test_the_status_is_read_by_the_thread_that_owns_the_core() -> None:
    core = ScriptedCore(finish_on_stop)
    mailbox = Mailbox()
    early, late = StatusAsked(), StatusAsked()
    mailbox.put(early)
    mailbox.put(StopAsked())
    control = Control(core, mailbox, HandClock().clock, lambda _: None)

    control.run()
    mailbox.put(late)
    control.answer_the_rest()

    assert early.answer.result(0) == worker_status()
    assert late.answer.result(0) == worker_status()


def test_what_the_core_raises_escapes() -> None:
    def bug(event: Event) -> Sequence[Command]:
        raise ZeroDivisionError

    mailbox = Mailbox()
    mailbox.put(StopAsked())
    with pytest.raises(ZeroDivisionError):
        Control(ScriptedCore(bug), mailbox, HandClock().clock, lambda _: None).run()


def test_a_question_after_the_end_is_not_waited_for() -> None:
    core = ScriptedCore(lambda _: [], first=[Finish()])
    mailbox = Mailbox()
    control = Control(core, mailbox, HandClock().clock, lambda _: None)
    control.run()
    control.answer_the_rest()

    late = StatusAsked()
    mailbox.put(late)

    assert late.answer.cancelled()
