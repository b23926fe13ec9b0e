"""How does user code that asks for a checkpoint get its answer, and how long may it wait?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf

import pytest

from kcl_py.core.commands import AnswerCheckpoint
from kcl_py.core.events import CheckpointAsked
from kcl_py.errors import CheckpointOutOfRange, KclError, LeaseLost, Throttled
from kcl_py.processor import Fence
from kcl_py.records import Position
from kcl_py.shell.checkpoints import CheckpointDesk, Port
from tests.shell.tools import PATIENCE, HandClock

AT = Position("5")


class World:
    """A desk whose questions are answered by a function, in the asking thread."""

    def __init__(self, react: Callable[[CheckpointDesk, CheckpointAsked], None]) -> None:
        self.hand = HandClock()
        self.fence = Fence(self.hand.time + 50)
        self.asked: list[CheckpointAsked] = []
        self.is_asked = threading.Event()

        def post(question: CheckpointAsked) -> None:
            self.asked.append(question)
            react(self.desk, question)
            self.is_asked.set()

        self.desk = CheckpointDesk(post)
        self.port = Port(self.desk, self.hand.now, self.fence, 3, "shardId-1", None)

    def ask(self) -> Position | None:
        return self.port.checkpoint("checkpoint", AT, AT, wait=True, state=b"")

    def ask_async(self) -> Position | None:
        return asyncio.run(self.port.checkpoint_async("checkpoint", AT, AT, wait=True, state=b""))


ASKS = [World.ask, World.ask_async]


def answer_with(error: KclError | None = None) -> Callable[[CheckpointDesk, CheckpointAsked], None]:
    def react(desk: CheckpointDesk, question: CheckpointAsked) -> None:
        desk.answer(AnswerCheckpoint(question.request_id, question.at, error))

    return react


def keep_silent(desk: CheckpointDesk, question: CheckpointAsked) -> None:
    """Never answer."""


@pytest.mark.parametrize("ask", ASKS)
def test_the_answer_is_the_durable_checkpoint(ask: Callable[[World], Position | None]) -> None:
    world = World(answer_with())

    assert ask(world) == AT
    assert world.asked == [
        CheckpointAsked(run_id=3, request_id=1, kind="checkpoint", at=AT, handed=AT)
    ]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    "error", [LeaseLost(), Throttled("slow down"), CheckpointOutOfRange(asked=AT)]
)
def test_what_the_core_answers_is_raised(
    ask: Callable[[World], Position | None], error: KclError
) -> None:
    with pytest.raises(type(error)):
        ask(World(answer_with(error)))


@pytest.mark.parametrize("ask", ASKS)
def test_nobody_waits_past_the_fence(ask: Callable[[World], Position | None]) -> None:
    world = World(keep_silent)
    world.fence.until = -inf

    with pytest.raises(LeaseLost, match="may be durable"):
        ask(world)


def test_a_fence_that_is_ended_wakes_the_waiting() -> None:
    world = World(keep_silent)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(world.ask)
        assert world.is_asked.wait(PATIENCE)
        assert not waiting.done()

        world.fence.lose()

        with pytest.raises(LeaseLost):
            waiting.result(PATIENCE)


def test_an_answer_that_comes_after_all_is_nobodys() -> None:
    world = World(keep_silent)
    world.fence.until = -inf
    with pytest.raises(LeaseLost):
        world.ask()

    world.desk.answer(AnswerCheckpoint(world.asked[0].request_id, AT))


def test_the_end_of_the_worker_answers_everybody() -> None:
    world = World(keep_silent)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(world.ask) for _ in range(3)]
        assert world.is_asked.wait(PATIENCE)

        world.desk.close()

        for one in waiting:
            with pytest.raises(LeaseLost):
                one.result(PATIENCE)
    with pytest.raises(LeaseLost):
        world.ask()


def test_an_async_question_that_is_cancelled_takes_no_answer() -> None:
    world = World(keep_silent)

    async def cancel() -> None:
        task = asyncio.ensure_future(
            world.port.checkpoint_async("prepare", AT, AT, wait=True, state=b"x")
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        world.desk.answer(AnswerCheckpoint(world.asked[0].request_id, AT))

    asyncio.run(cancel())
