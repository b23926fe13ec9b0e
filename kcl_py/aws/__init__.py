"""How does the worker talk to AWS? The only room that imports boto3, botocore and tenacity."""

from __future__ import annotations
