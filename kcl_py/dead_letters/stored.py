"""What is known of a letter that is kept somewhere?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.letters import DeadLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One letter, or what should be one.

    Attributes:
        name: The letter's id, by which it can be asked for; of what is no letter, where it is.
        letter: None: what is there is no whole letter.
        problem: Why not.
        handle: What its store takes it out by.
    """

    name: str
    letter: DeadLetter | None = None
    problem: str | None = None
    handle: object = None
