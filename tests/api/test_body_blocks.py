"""Forms go out in few writes, whatever pieces they are made of."""

import io

import httpx2

from gptasst.api.http_client import send_in_blocks


def form(content: bytes) -> httpx2.Request:
    return httpx2.Request(
        "POST",
        "http://127.0.0.1/v1/files",
        data={"purpose": "assistants"},
        files={"file": ("guide.md", io.BytesIO(content), "text/markdown")},
    )


def blocks(request: httpx2.Request) -> list[bytes]:
    assert isinstance(request.stream, httpx2.SyncByteStream)
    return list(request.stream)


def test_a_small_file_is_one_write() -> None:
    request = form(b"words")
    pieces = blocks(request)
    send_in_blocks(request)
    assert len(pieces) > 5  # what makes the blocks worth having
    assert blocks(request) == [b"".join(pieces)]
    assert int(request.headers["Content-Length"]) == len(b"".join(pieces))


def test_a_large_file_is_never_in_memory_whole() -> None:
    request = form(b"x" * 2_000_000)
    pieces = blocks(request)
    send_in_blocks(request)
    sent = blocks(request)
    assert b"".join(sent) == b"".join(pieces)
    assert max(map(len, sent)) < 400_000
    assert len(sent) < 10


def test_a_body_that_is_no_form_goes_out_as_it_is() -> None:
    request = httpx2.Request("POST", "http://127.0.0.1/v1/responses", json={"input": "x"})
    stream = request.stream
    send_in_blocks(request)
    assert request.stream is stream
