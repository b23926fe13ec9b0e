"""Put every question of a JSON file into a stream; those without a topic get a random key."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kcl_py import Producer

questions = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))

with Producer(sys.argv[2]) as producer:
    for question in questions:
        producer.put(question, key=question.get("topic"))
print("uploaded", len(questions), "questions")
