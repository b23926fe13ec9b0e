"""Is the metadata of EC2 read as it is told, and is every bad day of it an answer or a reason?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.hosts import http
from kcl_py.hosts.http import Answer, ask
from kcl_py.hosts.imds import TOKEN_SECONDS, Imds, ImdsNotices
from kcl_py.hosts.notices import NoAnswer, Notice
from tests.hosts.fakes import INSTANCE_ID, REBALANCE, SPOT, FakeImds


@pytest.fixture
def fake() -> Iterator[FakeImds]:
    service = FakeImds()
    with service.running():
        yield service


def test_one_token_serves_many_questions(fake: FakeImds) -> None:
    imds = Imds(fake.url)

    assert imds.get("instance-id") == INSTANCE_ID
    assert imds.get("spot/instance-action") is None
    assert imds.get("instance-id") == INSTANCE_ID
    assert fake.granted == 1


def test_a_token_that_has_expired_is_replaced_once(fake: FakeImds) -> None:
    imds = Imds(fake.url)
    imds.get("instance-id")
    fake.tokens.clear()

    assert imds.get("instance-id") == INSTANCE_ID
    assert fake.granted == 2


def test_a_service_that_refuses_every_token_is_no_answer(fake: FakeImds) -> None:
    imds = Imds(fake.url)
    imds.get("instance-id")
    fake.tokens = _Never()

    with pytest.raises(NoAnswer, match="401"):
        imds.get("instance-id")


class _Never(set[str]):
    def __contains__(self, item: object) -> bool:
        return False


def test_a_token_is_replaced_before_its_life_is_over(fake: FakeImds) -> None:
    times = [0.0]
    imds = Imds(fake.url, now=lambda: times[0])
    imds.get("instance-id")
    times[0] = TOKEN_SECONDS - 61.0
    imds.get("instance-id")
    assert fake.granted == 1
    times[0] = TOKEN_SECONDS - 59.0
    imds.get("instance-id")

    assert fake.granted == 2


@pytest.mark.parametrize(("status", "reason"), [(403, "switched off"), (500, "500"), (302, "302")])
def test_other_answers_are_reasons(fake: FakeImds, status: int, reason: str) -> None:
    fake.status = status

    with pytest.raises(NoAnswer, match=reason):
        Imds(fake.url).get("instance-id")


def test_each_notice_is_found_at_its_place(fake: FakeImds) -> None:
    imds = Imds(fake.url)
    kinds = [ImdsNotices(kind, imds) for kind in ("spot", "lifecycle", "rebalance")]
    assert [source.ask() for source in kinds] == [None, None, None]

    fake.say("spot/instance-action", SPOT)
    fake.say("autoscaling/target-lifecycle-state", "Terminated")
    fake.say("events/recommendations/rebalance", REBALANCE)

    assert [source.ask() for source in kinds] == [
        Notice("spot", "terminate", "2026-11-21T08:22:00Z"),
        Notice("lifecycle", "Terminated"),
        Notice("rebalance", "rebalance", "2026-11-21T08:20:00Z"),
    ]
    assert [source.name for source in kinds] == ["spot", "lifecycle", "rebalance"]


@given(token=st.text(max_size=40), status=st.sampled_from([200, 400]))
def test_a_strange_token_is_never_sent(token: str, status: int) -> None:
    sent: list[Mapping[str, str]] = []

    def asking(url: str, *, method: str = "GET", headers: Mapping[str, str]) -> Answer:
        if method == "PUT":
            return Answer(status, token)
        sent.append(headers)
        return Answer(404, "")

    try:
        Imds("http://host", asking=asking).get("x")
    except NoAnswer:
        assert sent == []
    else:
        [headers] = sent
        assert all(32 <= ord(letter) < 127 for letter in headers["X-aws-ec2-metadata-token"])


# -------------------------------------------------------------------------------- one request


Talk = Callable[[socket.socket], object]


@pytest.fixture
def talk() -> Iterator[Callable[[Talk], str]]:
    """A server that says one thing to whoever comes, in bytes."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def start(say: Talk) -> str:
        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65_536)
                    say(connection)
            except OSError:
                pass  # whoever asked has gone

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    listening.close()
    for thread in threads:
        thread.join(10.0)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nyes", Answer(200, "ye")),
        (b"HTTP/1.0 404 No\r\n\r\nuntil the end", Answer(404, "until the end")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Answer(200, "hi"),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe", Answer(200, "\ufffd\ufffd")),
    ],
)
def test_an_answer_is_read(talk: Callable[[Talk], str], said: bytes, answer: Answer) -> None:
    assert ask(talk(lambda connection: connection.sendall(said))) == answer


@pytest.mark.parametrize(
    "said", [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_what_is_no_answer_is_a_reason(talk: Callable[[Talk], str], said: bytes) -> None:
    with pytest.raises(NoAnswer):
        ask(talk(lambda connection: connection.sendall(said)))


def test_an_answer_without_an_end_is_cut(
    talk: Callable[[Talk], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_BYTES_MAX", 1000)
    url = talk(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001))

    with pytest.raises(NoAnswer, match="more than 1000"):
        ask(url)


def test_bytes_that_drip_do_not_hold_the_question_up(talk: Callable[[Talk], str]) -> None:
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not gone.wait(0.01):
            connection.sendall(b"H")

    with pytest.raises(NoAnswer, match=r"did not answer within 0\.2 s"):
        ask(talk(drip), timeout=0.2)
    gone.set()


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "127.0.0.1:80", "http://", "http://[::1", "http://host:x/", ""]
)
def test_what_is_no_address_is_a_reason(url: str) -> None:
    with pytest.raises(NoAnswer, match="no address"):
        ask(url)


def test_nobody_there_is_a_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(NoAnswer, match="refused"):
        ask(f"http://127.0.0.1:{port}/")


def test_a_proxy_is_never_asked(fake: FakeImds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    assert Imds(fake.url).get("instance-id") == INSTANCE_ID
