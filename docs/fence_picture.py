"""When does an old owner stop, and a new one begin? Drawn from a simulated world, not by hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from drawing import BLUE, GREEN, GREY, RED, Drawing

from kcl_py.core.events import Event, RowsRead, RowsScanned
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.testing.sim.faults import Fate
from kcl_py.testing.sim.trace import Line
from kcl_py.testing.sim.worker import SimWorker
from kcl_py.testing.world import World

SEED = 1
DURATION = 10.0
ALONE_SECONDS, BOTH_SECONDS, CUT_SECONDS = 14.0, 4.0, 14.0
FROM, TO = -4.5, 15.0
LEFT, RIGHT, WIDTH, HEIGHT = 110.0, 930.0, 960, 396


@dataclass(frozen=True)
class Story:
    """What happened, in seconds since the last renewal that came through was sent."""

    renewed: tuple[float, ...]
    lost: tuple[float, ...]
    cut: float
    seen: float
    stopped: float
    taken: float
    counter: int


def note(sights: dict[int, float], world: World, tell: object, event: Event) -> None:
    """Keep when a counter was seen first, and pass the event on."""
    if isinstance(event, RowsScanned | RowsRead):
        for row in event.rows:
            if isinstance(row, LeaseRow):
                sights.setdefault(row.counter, world.now)
    tell(event)  # type: ignore[operator]


def is_of(line: Line, who: SimWorker, what: str, word: str = "") -> bool:
    said = " ".join(map(str, line.facts))
    return (line.who, line.what) == (who.worker_id, what) and word in said


def play() -> Story:
    """One shard, two workers; the owner is cut off from the table."""
    world = World(SEED, workers=0, shards=1)
    old = world.start_worker()
    world.run_for(ALONE_SECONDS)
    new = world.start_worker()
    sights: dict[int, float] = {}
    new.tell = partial(note, sights, world, new.tell)  # type: ignore[method-assign]
    world.run_for(BOTH_SECONDS)
    cut = world.now
    world.cut(old, Fate.LOST)
    world.run_for(CUT_SECONDS)

    lines = [line for line in world.trace.lines if line.key in world.open_keys()]
    renewed = [line.at for line in lines if is_of(line, old, "applied renew")]
    lost = [line.at for line in lines if is_of(line, old, "fate lost", "renew")]
    [stopped] = [line.at for line in lines if is_of(line, old, "lease.lost")]
    [took] = [line for line in lines if is_of(line, new, "lease.taken")]
    token = int(str(took.facts[0]).partition("=")[2])
    zero = renewed[-1]
    return Story(
        renewed=tuple(at - zero for at in renewed),
        lost=tuple(at - zero for at in lost),
        cut=cut - zero,
        seen=sights[token - 1] - zero,
        stopped=stopped - zero,
        taken=took.at - zero,
        counter=token - 1,
    )


def x_of(seconds: float) -> float:
    return LEFT + (seconds - FROM) / (TO - FROM) * (RIGHT - LEFT)


def fence_svg() -> str:
    """The picture."""
    story = play()
    drawing = Drawing(
        WIDTH,
        HEIGHT,
        "A worker is cut off: it stops itself before another one begins",
        f"The old owner stops {story.stopped:.1f} s after it sent its last renewal; the new one "
        f"takes the lease {story.taken:.1f} s after it.",
    )
    drawing.words(
        20, 26, "A is cut off from the lease table, and goes on running", bold=True, size=15
    )
    drawing.words(
        20, 46, "neither is told of the other; lease duration D = 10 s; as a simulated world went"
    )
    draw_nobody(drawing, story)
    draw_old(drawing, story, 84)
    draw_row(drawing, story, 184)
    draw_new(drawing, story, 252)
    draw_axis(drawing, 352)
    return drawing.svg()


def draw_nobody(drawing: Drawing, story: Story) -> None:
    begin, end = x_of(story.stopped), x_of(story.taken)
    drawing.box(begin, 78, end - begin, 250, color=GREY, filled=0.12)
    gap = story.taken - story.stopped
    drawing.words((begin + end) / 2, 72, f"nobody, {gap:.1f} s", anchor="middle")


def draw_old(drawing: Drawing, story: Story, y: float) -> None:
    drawing.words(20, y + 17, "worker A", bold=True, fill=BLUE)
    stopped = x_of(story.stopped)
    drawing.box(LEFT, y, stopped - LEFT, 26, color=BLUE, filled=0.2)
    drawing.words(LEFT + 10, y + 18, "A's code runs", fill=BLUE)
    drawing.words(stopped - 8, y + 18, "fence: A stops itself", anchor="end", fill=BLUE, bold=True)
    for at in story.renewed:
        if at > FROM:
            drawing.dot(x_of(at), y + 44, GREEN)
    for at in story.lost:
        if at < story.stopped:
            drawing.cross(x_of(at), y + 44, RED)
    drawing.words(x_of(0), y + 66, "last renewal", anchor="middle", fill=GREEN)
    drawing.words(x_of(story.lost[1]), y + 66, "renewals get lost", anchor="middle", fill=RED)
    drawing.words(20, y + 48, "renews")
    cut = x_of(story.cut)
    drawing.line((cut, y - 6), (cut, y + 54), color=RED, dashed=True)
    drawing.words(cut, y - 12, "cut off", anchor="middle", fill=RED)


def draw_row(drawing: Drawing, story: Story, y: float) -> None:
    drawing.words(20, y + 17, "lease row", bold=True)
    names = [f"counter {(story.counter + step) % 100}" for step in (-1, 0, 1)]
    edges = [FROM, 0.0, story.taken, TO]
    owners = [("A", BLUE), ("A", BLUE), ("B", GREEN)]
    for number, (owner, color) in enumerate(owners):
        begin, end = x_of(edges[number]), x_of(edges[number + 1])
        drawing.box(begin, y, end - begin, 26, color=color, filled=0.08)
        drawing.words(begin + 10, y + 18, f"{names[number]}, owner {owner}", fill=color)


def draw_new(drawing: Drawing, story: Story, y: float) -> None:
    drawing.words(20, y + 17, "worker B", bold=True, fill=GREEN)
    seen, taken = x_of(story.seen), x_of(story.taken)
    drawing.dot(seen, y + 13, GREEN)
    drawing.words(seen, y + 38, "sees this counter", "for the first time", fill=GREEN)
    drawing.arrow((seen + 8, y + 13), (taken - 2, y + 13), GREEN)
    middle = (seen + taken) / 2
    drawing.words(
        middle, y + 6, "it stands still for D, and is seen again", anchor="middle", fill=GREEN
    )
    drawing.box(taken, y, RIGHT - taken, 26, color=GREEN, filled=0.2)
    drawing.words(taken + 10, y + 18, "B's code runs", fill=GREEN)
    drawing.words(
        taken + 10,
        y + 44,
        "takes it, if its counter",
        f"is still {story.counter % 100}",
        fill=GREEN,
    )


def draw_axis(drawing: Drawing, y: float) -> None:
    drawing.line((LEFT, y), (RIGHT, y))
    for seconds in range(-4, 16, 2):
        drawing.line((x_of(seconds), y), (x_of(seconds), y + 5))
        drawing.words(x_of(seconds), y + 20, f"{seconds} s", anchor="middle")
    drawing.words(x_of(0), y + 36, "since A sent its last renewal", anchor="middle")
