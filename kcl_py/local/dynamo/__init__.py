"""What would DynamoDB answer? A pure model: time and randomness are handed in."""

from __future__ import annotations

from kcl_py.local.dynamo.api import Dynamo
from kcl_py.local.dynamo.world import DynamoSettings

__all__ = ["Dynamo", "DynamoSettings"]
