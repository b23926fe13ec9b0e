"""Where do records go that are given up? Sinks of dead letters.

from kcl_py.dead_letters import JsonLinesDeadLetters

OnError(then="dead_letter", dead_letters=JsonLinesDeadLetters("dead.jsonl"))
"""

from __future__ import annotations

from kcl_py.dead_letters.json_lines import JsonLinesDeadLetters
from kcl_py.dead_letters.s3 import S3DeadLetters
from kcl_py.dead_letters.sqs import SqsDeadLetters

__all__ = ["JsonLinesDeadLetters", "S3DeadLetters", "SqsDeadLetters"]
