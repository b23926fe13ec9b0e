"""Where do Kinesis and DynamoDB come from when there is no AWS? From here, on 127.0.0.1."""

from __future__ import annotations
