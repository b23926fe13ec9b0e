"""When does a call leave botocore? Only when we would have made its request in the same way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import boto3.session
import pytest
from botocore.credentials import Credentials

from kcl_py.aws.clients import Clients, make_clients
from kcl_py.aws.direct.calls import LEARN_ATTEMPTS_MAX, DirectCall
from kcl_py.aws.names import parse_stream
from kcl_py.config import WorkerConfig
from tests.aws.loopback import Loopback, answer, by_operation, refuses
from tests.aws.wire import REGION, Canned, answer_with

CallOf: TypeAlias = Callable[[str, boto3.session.Session], DirectCall]
PAGE = {"Records": [], "NextShardIterator": "it-2"}
WELL = by_operation({"GetRecords": PAGE})


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(WELL) as running:
        yield running


@pytest.fixture
def mine() -> boto3.session.Session:
    return boto3.session.Session("AKID", "secret", region_name=REGION)


@pytest.fixture
def call_of() -> Iterator[CallOf]:
    """Makes calls whose connections are closed afterwards."""
    every: list[Clients] = []

    def make(url: str, mine: boto3.session.Session) -> DirectCall:
        made = make_clients(
            WorkerConfig(kinesis_endpoint_url=url), parse_stream("orders"), session=mine
        )
        every.append(made)
        assert isinstance(made.get_records, DirectCall)
        return made.get_records

    yield make
    for made in every:
        made.close()


def by_client(call: DirectCall) -> list[object]:
    """The calls that go through the client from now on."""
    asked: list[object] = []
    method = call._by_client

    def counted(**parameters: object) -> Any:
        asked.append(parameters)
        return method(**parameters)

    call._by_client = counted
    return asked


def ask(call: DirectCall, times: int = 1) -> None:
    for _ in range(times):
        assert call(ShardIterator="it")["KclPyDecoded"].answer.next_shard_iterator == "it-2"


def test_the_second_call_goes_direct(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    asked = by_client(call)
    assert call.why_not

    ask(call, 3)

    assert len(asked) == 1
    assert call.why_not is None


def test_nothing_is_learned_of_a_refusal(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    server.play = refuses("ThrottlingException")
    with pytest.raises(Exception, match="Throttling"):
        call(ShardIterator="it")
    assert call.why_not

    server.play = WELL
    ask(call, 2)

    assert call.why_not is None


def stays(call: DirectCall, why: str, times: int = 5) -> None:
    asked = by_client(call)

    ask(call, times)

    assert len(asked) == times
    assert call.why_not is not None
    assert why in call.why_not


def test_a_session_that_answers_instead_of_the_network_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    answer_with(call._client, lambda _operation, _request: Canned(PAGE))

    stays(call, "something else than the network answers")
    assert server.asked == []


@pytest.mark.parametrize("event", ["before-call", "request-created", "before-send"])
def test_a_session_that_adds_a_header_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf, event: str
) -> None:
    def add(**given: Any) -> None:
        headers = given["params"]["headers"] if event == "before-call" else given["request"].headers
        headers["X-Trace"] = "1"

    call = call_of(server.url, mine)
    call._client.meta.events.register(f"{event}.kinesis", add)

    stays(call, "other headers")


def test_a_session_that_changes_parameters_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    call._client.meta.events.register(
        "provide-client-params.kinesis.GetRecords", lambda params, **_: {**params, "Limit": 5}
    )

    stays(call, "changes its parameters")


def test_another_signature_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    call._credentials = Credentials("AKID", "another secret")

    stays(call, "signed otherwise")


def test_a_proxy_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    call = call_of(server.url, mine)
    assert call._client._endpoint.http_session._proxy_config.proxy_url_for(server.url)

    stays(call, "proxy")


def test_a_path_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(f"{server.url}/behind/a/gateway", mine)

    stays(call, "another path")


def test_another_transport_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    from botocore.httpsession import URLLib3Session

    class Instrumented(URLLib3Session):
        """As somebody's tracing may have it."""

    call = call_of(server.url, mine)
    call._client._endpoint.http_session = Instrumented()

    stays(call, "somebody else's transport")


def test_a_botocore_that_hides_whom_it_trusts_is_never_left(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    http_session = call._client._endpoint.http_session
    del http_session._cert_file

    stays(call, "does not tell")


def test_what_breaks_while_learning_breaks_no_call(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_settings: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("kcl_py.aws.direct.calls.learn", broken)

    stays(call_of(server.url, mine), "RuntimeError")


def test_a_doubt_may_pass_and_then_the_call_goes_direct(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    right, call._credentials = call._credentials, Credentials("AKID", "not yet")
    ask(call, LEARN_ATTEMPTS_MAX - 1)
    assert call.why_not

    call._credentials = right
    ask(call)

    assert call.why_not is None


def test_credentials_of_another_account_ask_botocore_for_the_address_again(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    ask(call, 2)
    asked = by_client(call)

    moved = SimpleNamespace(
        access_key="AKID", secret_key="secret", token=None, account_id="123456789012"
    )
    call._credentials = SimpleNamespace(get_frozen_credentials=lambda: moved)
    ask(call, 3)

    assert len(asked) == 1
    assert call.why_not is None


def test_many_first_calls_at_once_are_each_answered(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    barrier, done = threading.Barrier(6), []

    def run() -> None:
        barrier.wait()
        ask(call, 3)
        done.append(1)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(done) == 6
    assert call.why_not is None


def test_a_factory_and_a_setting_stay_on_botocore(mine: boto3.session.Session) -> None:
    def is_stock(made: Clients) -> bool:
        made.close()
        calls = made.get_records, made.update_item
        return calls == (made.stream_reads.get_records, made.lease_writes.update_item)

    stream, any_session = parse_stream("orders"), cast("Any", mine)

    def factory(service: Any, config: Any) -> Any:
        return any_session.client(service, config=config)

    assert is_stock(make_clients(WorkerConfig(), stream, client_factory=factory))
    assert is_stock(make_clients(WorkerConfig(transport="botocore"), stream, session=mine))


def test_an_answer_in_an_old_protocol_is_read_too(
    server: Loopback, mine: boto3.session.Session, call_of: CallOf
) -> None:
    call = call_of(server.url, mine)
    ask(call)
    whole = answer(PAGE).replace(b"HTTP/1.1", b"HTTP/1.0")
    server.play = lambda sock, _asked: sock.sendall(whole)

    ask(call, 3)

    assert server.asked[-1].connection > server.asked[-3].connection
