"""An answer is whole and understood, or it is an error."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aws.direct import http
from kcl_py.aws.direct.http import Answer, AnswerError, Reader, parse_head, read_answer

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def reader_of(raw: bytes, sizes: list[int] | None = None) -> Reader:
    """A reader that gets these bytes in pieces of these sizes, over and over."""
    source, turn = io.BytesIO(raw), 0

    def receive(into: memoryview) -> int:
        nonlocal turn
        size = len(into) if sizes is None else min(sizes[turn % len(sizes)], len(into))
        turn += 1
        piece = source.read(size)
        into[: len(piece)] = piece
        return len(piece)

    return Reader(receive)


def read(raw: bytes, sizes: list[int] | None = None) -> Answer:
    return read_answer(reader_of(raw, sizes))


def with_length(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *lines, b"", body])


def in_chunks(body: bytes, sizes: list[int]) -> bytes:
    raw, at = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0
    for size in sizes:
        piece = body[at : at + size]
        if piece:
            raw += b"%x;note=1\r\n%b\r\n" % (len(piece), piece)
        at += size
    if body[at:]:
        raw += b"%X\r\n%b\r\n" % (len(body[at:]), body[at:])
    return raw + b"0\r\nTrailer: 1\r\n\r\n"


@given(st.binary(max_size=300), SIZES)
def test_a_body_is_the_same_in_any_pieces(body: bytes, sizes: list[int]) -> None:
    answer = read(with_length(body), sizes)

    assert (answer.status, bytes(answer.body), answer.is_last) == (200, body, False)


@given(st.binary(max_size=300), SIZES, SIZES)
def test_a_body_in_chunks_is_put_together(body: bytes, chunks: list[int], sizes: list[int]) -> None:
    answer = read(in_chunks(body, chunks), sizes)

    assert (bytes(answer.body), answer.is_last) == (body, False)


@given(st.binary(min_size=1, max_size=60), SIZES, st.data())
def test_an_answer_that_is_cut_anywhere_is_an_error(
    body: bytes, sizes: list[int], data: st.DataObject
) -> None:
    raw = data.draw(st.sampled_from([in_chunks(body, [7]), with_length(body)]))
    cut = data.draw(st.integers(0, len(raw) - 1))

    with pytest.raises(AnswerError):
        read(raw[:cut], sizes)


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=4), SIZES)
def test_answers_on_one_connection_do_not_mix(bodies: list[bytes], sizes: list[int]) -> None:
    # One piece a read at most, so that an answer is never read beyond its end.
    for body in bodies:
        raw = with_length(body)
        reader = reader_of(raw, sizes)
        assert bytes(read_answer(reader).body) == body
        assert reader.is_drained


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_error(raw: bytes) -> None:
    for start in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        try:
            answer = read(start + raw)
        except AnswerError:
            continue
        assert answer.status >= 200


def test_bytes_behind_an_answer_end_the_connection() -> None:
    assert read(with_length(b"{}") + b"HTTP/1.1 200 OK\r\n").is_last


@pytest.mark.parametrize(
    ("raw", "is_last"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\n{}", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}", False),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", True),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{}", False),
    ],
)
def test_a_server_says_whether_the_connection_goes_on(raw: bytes, *, is_last: bool) -> None:
    answer = read(raw)

    assert (bytes(answer.body), answer.is_last) == (b"{}", is_last)


def test_204_has_no_body() -> None:
    assert read(b"HTTP/1.1 204 No Content\r\nA: 1\r\n\r\n").body == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Go on\r\n\r\n" * 5 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_not_understood_is_an_error(raw: bytes) -> None:
    with pytest.raises(AnswerError):
        read(raw)


def test_what_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnswerError, match="too long"):
        read(b"HTTP/1.1 200 OK\r\nA: " + b"x" * http.BUFFER_BYTES)
    monkeypatch.setattr(http, "BODY_BYTES_MAX", 10)
    for raw in (
        with_length(b"x" * 11),
        in_chunks(b"x" * 11, [4]),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 11,
    ):
        with pytest.raises(AnswerError, match="too long"):
            read(raw)


def test_headers_are_found_in_any_case_and_joined() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\r\nX-A:  1 \r\nx-a: 2\r\nB:")

    assert head.headers == {b"x-a": b"1, 2", b"b": b""}
