"""A live board: the average age so far, again whenever it changes, until so many users came."""

from __future__ import annotations

import json
import sys
import time

from average import FOLDER, Sums

LOOK_SECONDS = 0.1


def look() -> list[Sums]:
    return [Sums(**json.loads(path.read_text())) for path in FOLDER.glob("*.json")]


def main(wanted: int) -> None:
    shown = -1
    while shown < wanted:
        shards = look()
        count = sum(each.count for each in shards)
        if count != shown and count > 0:
            average = sum(each.years for each in shards) / count
            workers = len({each.worker for each in shards})
            print(f"{count} users, average age {average:.1f}, workers that count: {workers}")
            shown = count
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
