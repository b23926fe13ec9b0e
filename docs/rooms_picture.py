"""Through which rooms does a record go, and how does its checkpoint come back?"""

from __future__ import annotations

from drawing import BLUE, GREEN, GREY, VIOLET, Drawing

WIDTH, HEIGHT = 960, 330
TOP, DEEP = 70, 200
ROOMS = (
    ("AWS", 20, 110, GREY, ("the stream", "", "", "", "", "the lease", "table")),
    ("aws: talks", 215, 130, VIOLET, ("spells requests,", "decodes answers,", "names errors")),
    (
        "core: decides",
        435,
        130,
        BLUE,
        ("budget, order,", "fence", "", "", "", "what is finished,", "what is written"),
    ),
    ("shell: runs", 655, 110, VIOLET, ("clock, queues,", "one thread for", "each shard")),
    ("your program", 815, 130, GREEN, ("process_records",)),
)
THERE = ("GetRecords", "PageFetched", "Deliver", "")
BACK = ("UpdateItem", "WriteRow", "CallReturned", "")


def rooms_svg() -> str:
    """The picture."""
    drawing = Drawing(
        WIDTH,
        HEIGHT,
        "The rooms of a worker, and the way of a record",
        "From the stream through aws, core and shell to your program; and back to the lease table.",
    )
    drawing.words(20, 26, "The way of a record, and of its checkpoint", bold=True, size=15)
    drawing.words(
        20, 46, "the core decides, and touches nothing outside; aws talks; the shell carries out"
    )
    for title, x, width, color, lines in ROOMS:
        drawing.box(x, TOP, width, DEEP, color=color, filled=0.08)
        drawing.words(x + 10, TOP + 22, title, fill=color, bold=True)
        drawing.words(x + 10, TOP + 46, *lines)
    for number in range(len(ROOMS) - 1):
        begin = ROOMS[number][1] + ROOMS[number][2]
        end = ROOMS[number + 1][1]
        drawing.arrow((begin + 4, TOP + 62), (end - 4, TOP + 62), BLUE)
        drawing.words((begin + end) / 2, TOP + 54, THERE[number], anchor="middle", fill=BLUE)
        drawing.arrow((end - 4, TOP + 150), (begin + 4, TOP + 150), GREEN)
        drawing.words((begin + end) / 2, TOP + 142, BACK[number], anchor="middle", fill=GREEN)
    drawing.words(
        20, TOP + DEEP + 28, "a page of records, whole: no decision ever looks into it", fill=BLUE
    )
    drawing.words(
        20,
        TOP + DEEP + 48,
        "how far your code is: written with the next renewal of the lease",
        fill=GREEN,
    )
    return drawing.svg()
