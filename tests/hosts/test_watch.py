"""Does a notice drain the worker once, is the hook told after it, and does nothing else matter?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3.session
import pytest

from kcl_py import ConfigError, WorkerConfig
from kcl_py.aws.lifecycle import AutoScalingActions
from kcl_py.config import NoticeConfig
from kcl_py.errors import AccessDenied, KclError
from kcl_py.hosts.companion import Notices
from kcl_py.hosts.composing import NoticePlan, companions_for, notice_plan
from kcl_py.hosts.lifecycle import HEARTBEAT_SECONDS, Hook
from kcl_py.hosts.notices import NoAnswer, Notice, parse_instance_action
from kcl_py.hosts.places import Hints
from kcl_py.hosts.systemd import SystemdNotifier
from kcl_py.hosts.watch import NoticeWatch
from kcl_py.hosts.watching import INTERVAL_SECONDS
from kcl_py.status import WorkerEvent, WorkerStatus, idle_status
from tests.hosts.fakes import GROUP, INSTANCE_ID, SPOT, FakeAutoScaling, FakeEcs, FakeImds

PATIENCE_SECONDS = 30.0
TERMINATED = Notice("lifecycle", "Terminated")


@dataclass
class Source:
    """Says what it is told to say."""

    name: str
    says: Notice | BaseException | None = None
    count: int = 0

    def ask(self) -> Notice | None:
        self.count += 1
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says


@dataclass
class Actions:
    """A hook that remembers what it was told."""

    told: list[str] = field(default_factory=list)
    fails: KclError | None = None
    waits: bool = True

    def heartbeat(self) -> None:
        self._say("heartbeat")

    def complete(self) -> bool:
        self._say("complete")
        return self.waits

    def _say(self, what: str) -> None:
        self.told.append(what)
        if self.fails is not None:
            raise self.fails


class FakeWorker:
    """Counts how often it was asked to stop."""

    worker_id = "w"

    def __init__(self) -> None:
        self.stops = threading.Semaphore(0)

    def status(self) -> WorkerStatus:
        return idle_status("w", "running")

    def request_stop(self) -> None:
        self.stops.release()


class Clock:
    """Moves by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


Made = tuple[NoticeWatch, list[str], Clock]


def at_once(_name: str, work: Callable[[], None]) -> None:
    """Put a question here and now."""
    work()


def watch_of(*sources: Source, hook: Hook | None = None, rebalance: bool = False) -> Made:
    drains: list[str] = []
    clock = Clock()
    made = NoticeWatch(
        sources,
        lambda: drains.append("drain"),
        hook=hook,
        drain_on_rebalance=rebalance,
        now=clock,
        begin=at_once,
    )
    return made, drains, clock


def asked_once(plan: NoticePlan | None) -> list[str]:
    """Ask all, each once, and finish; return what drained."""
    assert plan is not None
    drains: list[str] = []
    watch = NoticeWatch(plan.sources, lambda: drains.append("drain"), hook=plan.hook, begin=at_once)
    watch.look()
    watch.start()
    watch.finish()
    return drains


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kcl_py.hosts")


# ------------------------------------------------------------------------------------ looking


def test_a_notice_drains_once_and_is_told_with_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    spot = Source("spot")
    watch, drains, clock = watch_of(spot)
    watch.look()
    spot.says = Notice("spot", "stop", "soon")
    for _ in range(3):
        clock.at += 5.0
        watch.look()

    assert drains == ["drain"]
    assert events(caplog) == ["notice.seen"]
    facts: Any = caplog.records[0]
    assert (facts.kind, facts.action, facts.due, facts.drains) == ("spot", "stop", "soon", True)


def test_a_drain_that_is_over_at_once_leaves_nobody_unasked() -> None:
    """The hook waits too when EC2 takes back an instance that its group has given up."""
    actions = Actions()
    spot, lifecycle = Source("spot"), Source("lifecycle")
    watch, _, clock = watch_of(spot, lifecycle, hook=Hook("leave", lambda: actions))
    watch._drain = lambda: watch._mail.put(None)
    watch.look()
    watch._watching.answered("lifecycle", 0.1, None)  # so that it is due a little later
    spot.says, lifecycle.says = Notice("spot", "terminate"), TERMINATED

    clock.at = INTERVAL_SECONDS
    watch.look()
    watch._work()

    assert actions.told == ["complete"]


def test_a_source_that_fails_is_told_once_and_the_others_are_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad, good = Source("spot", NoAnswer("no route")), Source("lifecycle")
    watch, drains, clock = watch_of(bad, good)
    for _ in range(13):
        watch.look()
        clock.at += 5.0

    assert good.count == 13
    assert bad.count == 4  # at 0, 5, 15 and 35 s
    assert events(caplog) == ["notices.unanswered"]
    bad.says = Notice("spot", "terminate")
    clock.at += 30.0
    watch.look()
    assert events(caplog) == ["notices.unanswered", "notices.answered_again", "notice.seen"]
    assert drains == ["drain"]


# ------------------------------------------------------------------------------------ the hook


def armed(actions: Actions) -> tuple[NoticeWatch, Clock]:
    made: list[int] = []

    def make() -> Actions:
        made.append(1)
        assert len(made) == 1, "the client is made once"
        return actions

    watch, _, clock = watch_of(Source("lifecycle", TERMINATED), hook=Hook("leave", make))
    watch.look()
    return watch, clock


def test_a_hook_is_kept_waiting_while_the_drain_lasts() -> None:
    actions = Actions()
    watch, clock = armed(actions)
    for _ in range(9):
        watch.look()
        clock.at += HEARTBEAT_SECONDS / 4

    assert actions.told == ["heartbeat", "heartbeat"]


def test_a_hook_is_told_at_the_end_and_not_without_a_notice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    actions = Actions()
    watch, _ = armed(actions)
    watch.start()
    watch.finish()
    assert actions.told == ["complete"]
    assert events(caplog)[-1] == "lifecycle.completed"

    unasked = Actions()
    other, _, _ = watch_of(Source("lifecycle"), hook=Hook("leave", lambda: unasked))
    other.start()
    other.finish()
    assert unasked.told == []


@pytest.mark.parametrize("fails", [AccessDenied(action="a", resource="r"), NoAnswer("no group")])
def test_a_hook_that_cannot_be_told_is_told_of_and_nothing_ends(
    fails: KclError | NoAnswer, caplog: pytest.LogCaptureFixture
) -> None:
    def make() -> Actions:
        if isinstance(fails, NoAnswer):
            raise fails
        return Actions(fails=fails)

    watch, drains, clock = watch_of(Source("lifecycle", TERMINATED), hook=Hook("leave", make))
    watch.look()
    clock.at += HEARTBEAT_SECONDS
    watch.look()
    watch.start()
    watch.finish()

    assert drains == ["drain"]
    assert events(caplog)[1] == "lifecycle.heartbeat_failed"
    assert events(caplog)[-1] == "lifecycle.not_completed"


@pytest.mark.parametrize("bug", [ZeroDivisionError("bug"), SystemExit("bug")])
def test_a_bug_of_a_source_is_told_and_the_others_are_asked(
    caplog: pytest.LogCaptureFixture, bug: BaseException
) -> None:
    watch, drains, _ = watch_of(Source("mine", bug), Source("spot", Notice("spot", "stop")))
    watch.look()

    assert drains == ["drain"]
    assert events(caplog) == ["notices.unanswered", "notice.seen"]
    assert vars(caplog.records[0])["problem"] == f"{type(bug).__name__}: bug"


def test_a_bug_of_ours_is_told_and_the_worker_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def drain() -> None:
        raise ZeroDivisionError("bug")

    asked = threading.Event()
    watch = NoticeWatch([_Last("spot", Notice("spot", "stop"), asked=asked)], drain)
    watch.start()
    assert asked.wait(PATIENCE_SECONDS)
    watch.finish()

    assert events(caplog) == ["notices.watched", "notice.seen", "notices.broken"]


@dataclass
class _Last(Source):
    """Tells that it was asked."""

    asked: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> Notice | None:
        self.asked.set()
        return super().ask()


class _Async:
    name = "mine"

    async def ask(self) -> Notice | None:
        return None


@pytest.mark.parametrize("source", [Source, "spot", object(), Source(7), _Async()])  # type: ignore[arg-type]  # what users may give
def test_what_is_no_source_is_refused_where_it_is_given(source: Any) -> None:
    with pytest.raises(ConfigError, match="is no source of notices; give an object with a name"):
        Notices([Source("spot"), source])


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="spot, spot"):
        Notices([Source("spot"), Source("spot")])
    with pytest.raises(ConfigError, match="spot, spot"):
        watch_of(Source("spot"), Source("spot"))


def test_a_companion_drains_its_worker_in_a_thread_of_its_own() -> None:
    worker = FakeWorker()
    companion = Notices([Source("spot", Notice("spot", "terminate"))])
    companion.start(worker)
    companion.hear(WorkerEvent(name="worker.ready", at=0.0, lease_key=None, fields={}))

    assert worker.stops.acquire(timeout=PATIENCE_SECONDS)
    companion.close()
    assert not worker.stops.acquire(blocking=False)
    Notices([]).close()  # as after another companion refused to start


# ---------------------------------------------------------------------------------- Auto Scaling


@pytest.fixture
def scaling() -> Iterator[FakeAutoScaling]:
    service = FakeAutoScaling()
    with service.running():
        yield service


@pytest.fixture
def actions(
    scaling: FakeAutoScaling, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], AutoScalingActions]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_AUTO_SCALING", scaling.url)
    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b")
    return lambda: AutoScalingActions(
        session=session, region="eu-west-1", group=GROUP, hook="leave", instance=INSTANCE_ID
    )


def test_auto_scaling_hears_who_is_busy_and_who_is_done(
    scaling: FakeAutoScaling, actions: Callable[[], AutoScalingActions]
) -> None:
    made = actions()
    made.heartbeat()

    assert made.complete()
    whom = {
        "LifecycleHookName": "leave",
        "AutoScalingGroupName": GROUP,
        "InstanceId": INSTANCE_ID,
        "Version": "2011-01-01",
    }
    assert scaling.said == [
        whom | {"Action": "RecordLifecycleActionHeartbeat"},
        whom | {"Action": "CompleteLifecycleAction", "LifecycleActionResult": "CONTINUE"},
    ]
    assert "/eu-west-1/autoscaling/" in scaling.asked[0].headers["Authorization"]


def test_a_hook_that_was_told_before_is_no_failure(
    scaling: FakeAutoScaling, actions: Callable[[], AutoScalingActions]
) -> None:
    scaling.code = "ValidationError"
    scaling.message = f"No active Lifecycle Action found with instance ID {INSTANCE_ID}"

    assert not actions().complete()


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "ResourceContention"])
def test_other_errors_have_a_meaning(
    scaling: FakeAutoScaling, actions: Callable[[], AutoScalingActions], code: str
) -> None:
    scaling.code = code

    with pytest.raises(KclError):
        actions().complete()


# ------------------------------------------------------------------------------------ composing


def sources_of(notices: NoticeConfig, env: dict[str, str], hints: Hints) -> list[str] | None:
    plan = notice_plan(WorkerConfig(notices=notices), env, hints)
    return None if plan is None else [source.name for source in plan.sources]


EC2 = Hints(vendor="Amazon EC2")
ECS = {"ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:1"}
OF_EC2 = ["spot", "lifecycle", "rebalance"]


def test_who_is_asked_follows_from_the_place_unless_told() -> None:
    auto, ec2, off = (NoticeConfig(watch=watch) for watch in ("auto", "ec2", "off"))

    assert sources_of(auto, {}, EC2) == OF_EC2
    assert sources_of(auto, {}, Hints()) is None
    assert sources_of(auto, ECS, EC2) == ["task"]
    assert sources_of(auto, {"KUBERNETES_SERVICE_HOST": "x"}, EC2) is None
    assert sources_of(auto, {"AWS_EC2_METADATA_DISABLED": "true"}, EC2) is None
    assert sources_of(ec2, {}, Hints()) == OF_EC2
    assert sources_of(ec2, ECS, Hints()) == OF_EC2
    assert sources_of(off, ECS, EC2) is None
    with pytest.raises(ConfigError, match="AWS_EC2_METADATA_DISABLED"):
        sources_of(ec2, {"AWS_EC2_METADATA_DISABLED": "true"}, EC2)


@pytest.mark.parametrize(
    ("watch", "env", "because"),
    [
        ("auto", {}, "no EC2 instance"),
        ("off", {}, "notices.watch is off"),
        ("auto", {"AWS_EC2_METADATA_DISABLED": "true"}, "AWS_EC2_METADATA_DISABLED"),
    ],
)
def test_a_hook_that_will_not_be_told_is_told_of(
    caplog: pytest.LogCaptureFixture, watch: Any, env: dict[str, str], because: str
) -> None:
    hints = EC2 if env else Hints()
    sources_of(NoticeConfig(watch=watch, lifecycle_hook="leave"), env, hints)

    [record] = caplog.records
    assert record.getMessage() == "notices.unwatched"
    assert because in vars(record)["because"]


def test_what_runs_beside_a_worker_of_kcl_run() -> None:
    quiet = {"AWS_EC2_METADATA_DISABLED": "true"}
    systemd = {"NOTIFY_SOCKET": "/run/systemd/notify"}

    assert companions_for(WorkerConfig(), env=quiet) == []
    made = companions_for(WorkerConfig(), env=ECS | systemd)
    assert [type(each) for each in made] == [Notices, SystemdNotifier]


@pytest.mark.parametrize(
    ("config", "group", "region"),
    [
        (WorkerConfig(notices=NoticeConfig(lifecycle_hook="leave")), GROUP, "us-east-1"),
        (
            WorkerConfig(
                region="eu-west-1",
                notices=NoticeConfig(lifecycle_hook="leave", auto_scaling_group="mine"),
            ),
            "mine",
            "eu-west-1",
        ),
    ],
)
def test_the_hook_is_found_by_the_settings_or_the_metadata(
    scaling: FakeAutoScaling,
    monkeypatch: pytest.MonkeyPatch,
    config: WorkerConfig,
    group: str,
    region: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_AUTO_SCALING", scaling.url)
    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b")
    imds = FakeImds()
    imds.say("autoscaling/target-lifecycle-state", "Terminated")
    with imds.running():
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        asked_once(notice_plan(config, env, Hints(), lambda: session))

    [said] = scaling.said
    assert said["AutoScalingGroupName"] == group
    assert said["InstanceId"] == INSTANCE_ID
    assert f"/{region}/autoscaling/" in scaling.asked[0].headers["Authorization"]


def test_a_group_that_the_metadata_does_not_name_has_a_way_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    imds = FakeImds()
    imds.say("autoscaling/target-lifecycle-state", "Terminated")
    del imds.pages["/latest/meta-data/tags/instance/aws:autoscaling:groupName"]
    config = WorkerConfig(notices=NoticeConfig(lifecycle_hook="leave"))
    with imds.running():
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        asked_once(notice_plan(config, env, Hints()))

    assert events(caplog)[-1] == "lifecycle.not_completed"
    assert "notices.auto_scaling_group" in vars(caplog.records[-1])["problem"]


def test_ecs_tells_when_it_wants_the_task_to_stop() -> None:
    ecs = FakeEcs()
    with ecs.running():
        env = {"ECS_CONTAINER_METADATA_URI_V4": ecs.address}
        plan = notice_plan(WorkerConfig(), env, Hints())
        assert plan is not None
        [source] = plan.sources
        assert source.ask() is None
        ecs.task("STOPPED")
        assert source.ask() == Notice("task", "STOPPED")
        ecs.pages.clear()
        with pytest.raises(NoAnswer):
            source.ask()


def test_a_spot_notice_is_found_through_all_of_it() -> None:
    imds = FakeImds()
    imds.say("spot/instance-action", SPOT)
    with imds.running():
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        drains = asked_once(notice_plan(WorkerConfig(), env, Hints()))

    assert drains == ["drain"]


@pytest.mark.parametrize("said", [True, "spot", {"kind": "spot"}, Notice(["spot"], "stop")])  # type: ignore[arg-type]  # what users may write
def test_what_is_no_notice_is_told_and_the_others_are_asked(
    said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    watch, drains, _ = watch_of(Source("mine", said), Source("spot", Notice("spot", "stop")))
    watch.look()

    assert drains == ["drain"]
    assert events(caplog) == ["notices.unanswered", "notice.seen"]
    assert "is no Notice; return one, or None" in vars(caplog.records[0])["problem"]


def test_whatever_a_hook_raises_notices_are_still_watched_and_the_end_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    actions = Actions(fails=ValueError("no endpoint"))  # type: ignore[arg-type]  # what boto3 may raise
    spot = Source("spot")
    watch, _, clock = watch_of(
        Source("lifecycle", TERMINATED), spot, hook=Hook("leave", lambda: actions)
    )
    watch.look()
    clock.at += HEARTBEAT_SECONDS
    watch.look()
    watch.look()
    watch.start()
    watch.finish()

    assert actions.told == ["heartbeat", "complete"]
    assert spot.count >= 2
    assert events(caplog)[-1] == "lifecycle.not_completed"
    assert vars(caplog.records[-1])["problem"] == "ValueError: no endpoint"
    assert "notices.broken" not in events(caplog)


@pytest.mark.parametrize("action", ["[]", "{}", "null", "5", '["terminate"]'])
def test_an_action_that_is_no_text_means_nothing(action: str) -> None:
    with pytest.raises(NoAnswer, match="means nothing here"):
        parse_instance_action(f'{{"action": {action}}}')
