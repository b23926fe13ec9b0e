"""Does the baton run one thread at a time, in an order that its seed decides, and find races?"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

import pytest

from kcl_py.shell import control, pools, threads
from tests.shell.baton import Baton, Stuck
from tests.shell.primitives import Condition
from tests.shell.tools import Crashes

SEEDS = 60


def run_pool(seed: int) -> tuple[str, list[int]]:
    """Run twelve jobs on three threads; return what happened, and the order of the jobs."""
    done: list[int] = []
    with Baton(seed) as baton:
        pool = pools.Pool("pool", 3, Crashes())

        def job(number: int) -> None:
            baton.sleep(baton.rng.uniform(0.0, 0.01))
            done.append(number)

        for number in range(12):
            pool.submit(partial(job, number))
        assert baton.until(lambda: len(done) == 12, 10.0)
        pool.close()
        assert baton.until(lambda: not baton.alive(), 10.0)
    return baton.digest(), done


def test_the_same_seed_gives_the_same_order_and_others_give_others() -> None:
    first = [run_pool(seed) for seed in range(SEEDS)]
    again = [run_pool(seed) for seed in range(SEEDS)]

    assert first == again
    assert len({digest for digest, _ in first}) > SEEDS * 0.9
    assert len({tuple(order) for _, order in first}) > SEEDS * 0.3


def test_time_passes_only_when_everybody_waits() -> None:
    with Baton(1, hold_up_rate=0.0) as baton:
        before = baton.time
        baton.sleep(240.0)
        assert baton.time - before == pytest.approx(240.0, abs=0.01)
        mailbox = control.Mailbox()
        assert mailbox.take(5.0) is None
        assert baton.time - before == pytest.approx(245.0, abs=0.01)


def test_hold_ups_let_time_pass_while_threads_could_run() -> None:
    with Baton(1, hold_up_rate=0.5, hold_up_max=2.0) as baton:
        before = baton.time
        for _ in range(100):
            baton.switch()
        assert baton.time - before > 10.0


def lost_updates(seed: int) -> int:
    """Let two threads add to one number without a lock; return how many additions were lost."""
    total = [0]

    with Baton(seed) as baton:

        def add() -> None:
            for _ in range(10):
                seen = total[0]
                baton.switch()
                total[0] = seen + 1

        adders = [baton.spawn(add), baton.spawn(add)]
        for adder in adders:
            adder.join()
    return 20 - total[0]


def test_a_race_is_found() -> None:
    assert sum(lost_updates(seed) > 0 for seed in range(SEEDS)) > SEEDS * 0.2


def test_a_lock_keeps_others_out() -> None:
    inside, worst = [0], [0]
    for seed in range(SEEDS):
        with Baton(seed) as baton:
            lock = Condition(baton)

            def work(lock: Condition = lock, baton: Baton = baton) -> None:
                for _ in range(5):
                    with lock:
                        inside[0] += 1
                        worst[0] = max(worst[0], inside[0])
                        baton.switch()
                        inside[0] -= 1

            workers = [baton.spawn(work) for _ in range(3)]
            for worker in workers:
                worker.join()
    assert worst == [1]


def deadlock() -> None:
    with Baton(3) as baton:
        one, two = Condition(baton), Condition(baton)

        def take(first: Condition, second: Condition) -> None:
            with first:
                baton.sleep(1.0)
                with second:
                    pass

        baton.spawn(lambda: take(one, two))
        baton.spawn(lambda: take(two, one)).join()


def test_a_deadlock_is_named_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(Stuck, match="every thread waits for ever"):
        deadlock()

    assert threading.active_count() == before


def test_a_future_that_nobody_answers_is_a_deadlock() -> None:
    with pytest.raises(Stuck), Baton(3):
        control.StatusAsked().answer.result()


def test_a_loop_runs_in_virtual_time_and_hears_other_threads() -> None:
    for seed in range(SEEDS):
        with Baton(seed) as baton:
            before = baton.time
            loop = asyncio.new_event_loop()
            heard: list[float] = []

            async def main(loop: Any = loop, baton: Baton = baton, heard: Any = heard) -> None:
                flag = asyncio.Event()

                def tell() -> None:
                    baton.sleep(2.0)
                    loop.call_soon_threadsafe(flag.set)

                baton.spawn(tell)
                await asyncio.sleep(1.0)
                heard.append(baton.time)
                await flag.wait()
                heard.append(baton.time)

            loop.run_until_complete(main())
            loop.close()
            assert [time - before for time in heard] == pytest.approx([1.0, 2.0], abs=1.5)
            assert heard[0] < heard[1]


def test_a_crash_under_the_baton_reaches_its_listener() -> None:
    crashes = Crashes()

    def crash() -> None:
        raise ZeroDivisionError

    with Baton(1) as baton:
        threads.spawn("broken", crash, crashes)
        assert baton.until(lambda: not baton.alive(), 1.0)
    assert isinstance(crashes.all[0], ZeroDivisionError)


def test_everything_is_as_before_when_the_baton_is_put_down() -> None:
    def names() -> list[object]:
        modules = (vars(pools)["threading"], vars(control)["queue"], vars(control)["Future"])
        return [*modules, asyncio.new_event_loop]

    before = names()
    with Baton(1):
        assert all(now is not then for now, then in zip(names(), before, strict=True))
    assert names() == before
