"""Which boto3 session talks to the engine and to nothing else?"""

from __future__ import annotations

import os
from typing import Any

import boto3.session
import botocore.session

from kcl_py.local.environment import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

# Neither a profile nor a file of the user's may change what these clients do.
_NO_FILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class _EngineSession(boto3.session.Session):
    def __init__(self, endpoint_url: str) -> None:
        super().__init__(
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            region_name=REGION,
            botocore_session=botocore.session.Session(session_vars=_NO_FILES),
        )
        self._endpoint_url = endpoint_url

    def client(self, *args: Any, **settings: Any) -> Any:  # noqa: ANN401
        if settings.get("endpoint_url") is None:
            settings["endpoint_url"] = self._endpoint_url
        return super().client(*args, **settings)

    def resource(self, *args: Any, **settings: Any) -> Any:  # noqa: ANN401
        if settings.get("endpoint_url") is None:
            settings["endpoint_url"] = self._endpoint_url
        return super().resource(*args, **settings)


def make_session(endpoint_url: str) -> boto3.session.Session:
    """A session with dummy credentials whose clients go to this endpoint unless told otherwise."""
    return _EngineSession(endpoint_url)
