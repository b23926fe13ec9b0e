"""Which AWS calls does our code make, under which credentials, and on what?

The engine's front is where all of them pass, whichever way they were sent: by botocore or over
connections of our own. Each role has an access key id of its own, as it would have at AWS.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import boto3.session
import pytest

from kcl_py.iam import JAVA_SUFFIX, LEASE_INDEX, Grant, On, Role
from kcl_py.local import Engine
from kcl_py.local.engine import EngineSettings
from kcl_py.local.environment import REGION
from kcl_py.local.faults import Asked
from kcl_py.local.front import Answer, Front
from kcl_py.local.kinesis import KinesisSettings
from kcl_py.local.kinesis.settings import ACCOUNT

SECONDS_MAX: Final = 60.0
"""How long a test waits for a call; it takes a few seconds."""

SETTINGS: Final = EngineSettings(
    kinesis=KinesisSettings(
        limits=False, create_seconds=0.01, update_seconds=0.01, delete_seconds=0.01
    )
)
KEY_OF: Final[Mapping[Role, str]] = {
    Role.WORKER: "AKIAWORKER",
    Role.PRODUCER: "AKIAPRODUCER",
    Role.OPERATOR: "AKIAOPERATOR",
    Role.READ_ONLY: "AKIAREADONLY",
}
_STREAM_OF_ARN: Final = re.compile(r".*:stream/([^/]+).*")
_NAMELESS: Final = frozenset({"ListStreams"})


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """One action on one resource, in the words of a policy.

    Attributes:
        arn: None: the request names no resource (GetRecords has an iterator).
    """

    action: str
    arn: str | None


@dataclass
class Recorder:
    """What was called since it was made, by access key id."""

    engine: Engine
    calls: dict[str, set[Call]] = field(default_factory=dict)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def note(self, asked: Asked) -> None:
        with self._news:
            self.calls.setdefault(asked.source or "nobody", set()).update(calls_of(asked))
            self._news.notify_all()

    def wait_for(self, role: Role, *actions: str) -> None:
        """Wait until a role has called all of these."""

        def are_there() -> bool:
            return set(actions) <= {call.action for call in self.by(role)}

        with self._news:
            assert self._news.wait_for(are_there, SECONDS_MAX), (actions, self.by(role))

    def by(self, role: Role) -> set[Call]:
        """Everything that was called with the credentials of a role."""
        return self.calls.get(KEY_OF[role], set())

    def session(self, role: Role | None) -> boto3.session.Session:
        """A session of this role; None: of a test that sets the scene."""
        return boto3.session.Session(
            aws_access_key_id="AKIASCENE" if role is None else KEY_OF[role],
            aws_secret_access_key="local",
            region_name=REGION,
        )

    def client(self, service: str, role: Role | None = None) -> Any:
        made: Any = self.session(role)
        return made.client(service, endpoint_url=self.engine.endpoint_url)

    def environment(self, role: Role) -> Mapping[str, str]:
        """For commands typed by somebody with this role."""
        return {**self.engine.environment, "AWS_ACCESS_KEY_ID": KEY_OF[role]}


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """An engine that notes every request before it is carried out."""
    with Engine.from_settings(SETTINGS) as engine:
        recorder = Recorder(engine)
        carry_out = Front._run

        def noted(front: Front, asked: Asked) -> Answer:
            recorder.note(asked)
            return carry_out(front, asked)

        monkeypatch.setattr(Front, "_run", noted)
        yield recorder


def calls_of(asked: Asked) -> set[Call]:
    """What one request is, in the words of a policy; several if it names several resources."""
    action = f"{asked.service}:{asked.operation}"
    given = asked.request
    if asked.service == "kinesis":
        return {Call(action, _stream_arn(asked.operation, given))} | _tagging(asked)
    tables = given.get("RequestItems") or [given["TableName"]]
    index = given.get("IndexName")
    found = {Call(action, _table_arn(table, index)) for table in tables}
    if asked.operation == "CreateTable" and given.get("Tags"):
        found |= {Call("dynamodb:TagResource", _table_arn(table, None)) for table in tables}
    return found


def _tagging(asked: Asked) -> set[Call]:
    """Tags at creation need the permission to tag. Source: CreateStream."""
    if asked.operation == "CreateStream" and asked.request.get("Tags"):
        arn = _stream_arn("AddTagsToStream", asked.request)
        return {Call("kinesis:AddTagsToStream", arn)}
    return set()


def _stream_arn(operation: str, given: Mapping[str, Any]) -> str | None:
    arn = given.get("StreamARN")
    name = given.get("StreamName")
    if arn is not None:
        name = _STREAM_OF_ARN.fullmatch(arn)[1]  # type: ignore[index]  # it is an ARN
    if name is not None:
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
    return "*" if operation in _NAMELESS else None


def _table_arn(table: str, index: str | None) -> str:
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    return arn if index is None else f"{arn}/index/{index}"


def allowed_by(grants: list[Grant], stream: str, table: str) -> set[Call]:
    """What these grants allow that a call of ours could be."""
    arns = {
        On.STREAM: f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}",
        On.TABLE: _table_arn(table, None),
        On.INDEX: _table_arn(table, LEASE_INDEX),
        On.JAVA_TABLE: _table_arn(f"{table}{JAVA_SUFFIX}", None),
        On.ALL: "*",
    }
    return {
        Call(action, arns[grant.on])
        for grant in grants
        for action in grant.actions
        if grant.on in arns
    }
