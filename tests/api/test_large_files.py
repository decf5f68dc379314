"""Files that go to the server in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from gptasst.api.connection import Connection
from gptasst.api.files import FileGateway
from gptasst.api.types import Endpoint, UploadRequest
from gptasst.api.upload_marks import marked_name
from gptasst.errors import GptasstError, InvalidInput
from tests.loopback import LoopbackServer, outcomes
from tests.openapi import assert_valid_request

CONTENT = bytes(range(256)) * 4  # 1,024 bytes: ten parts of 100 and one of 24


@pytest.fixture
def files(server: LoopbackServer) -> Iterator[FileGateway]:
    """A gateway to which 1,000 bytes are large."""
    connection = Connection(Endpoint(server.base_url, "loopback", api_key="sk-test"))
    yield FileGateway(connection, max_file=1_000, part_size=100)
    connection.close()


def request(content: bytes = CONTENT, name: str = "big.pdf", **more: object) -> UploadRequest:
    file = Path(name)
    file.write_bytes(content)
    values = {"size": len(content), "sha256": sha256(content).hexdigest(), "purpose": "user_data"}
    return UploadRequest(file, name, **(values | more))  # type: ignore[arg-type]


def posts(server: LoopbackServer) -> list[str]:
    return [r.path.rpartition("/")[2] for r in server.requests if r.method == "POST"]


def test_large_file_arrives_whole(server: LoopbackServer, files: FileGateway) -> None:
    seen: list[int] = []
    made = files.upload(request(expires_after=7_200), seen.append)
    assert (made.filename, made.size, made.purpose) == ("big.pdf", 1_024, "user_data")
    assert made.expires_at is not None
    # The upload begins in one second, and may become a file in the next.
    assert 7_190 <= (made.expires_at - made.created_at).total_seconds() <= 7_200
    assert server.files[made.id].data == CONTENT
    assert sum(seen) == 1_024
    assert posts(server) == ["uploads", *["parts"] * 11, "complete"]


def test_requests_are_as_documented(server: LoopbackServer, files: FileGateway) -> None:
    # The document's list of purposes for uploads in parts lacks `user_data`, the SDK's has it.
    files.upload(request(purpose="batch"))
    for record in server.requests:
        assert_valid_request(record)


def test_small_file_goes_in_one_request(server: LoopbackServer, files: FileGateway) -> None:
    files.upload(request(b"x" * 1_000))
    assert posts(server) == ["files"]


@pytest.mark.parametrize("done", [False, True], ids=["not carried out", "carried out"])
def test_part_whose_answer_is_lost_is_sent_again(
    server: LoopbackServer, files: FileGateway, done: bool
) -> None:
    server.disturb("POST", "*/parts", done=done, times=2)
    assert server.files[files.upload(request()).id].data == CONTENT


def test_lost_answer_to_the_last_request_makes_one_file(
    server: LoopbackServer, files: FileGateway
) -> None:
    server.disturb("POST", "*/complete", done=True)
    content = sha256(CONTENT).hexdigest()
    wanted = request()
    made = files.upload(replace(wanted, filename=marked_name("big.pdf", content, "a1b2c3")))
    assert list(server.files) == [made.id]


def test_failure_cancels_the_upload(server: LoopbackServer, files: FileGateway) -> None:
    server.disturb("POST", "*/parts", outcomes.http_error(400, message="no"), times=9)
    with pytest.raises(GptasstError):
        files.upload(request())
    assert [upload.about["status"] for upload in server.uploads.values()] == ["cancelled"]
    assert server.files == {}


def test_file_that_is_not_what_was_hashed_is_taken_back(
    server: LoopbackServer, files: FileGateway
) -> None:
    with pytest.raises(InvalidInput, match="changed while"):
        files.upload(request(sha256="0" * 64))
    assert server.files == {}


def test_server_without_uploads_in_parts(server: LoopbackServer, files: FileGateway) -> None:
    server.disturb("POST", "/v1/uploads", outcomes.http_error(404, message="Not Found"))
    with pytest.raises(InvalidInput, match="takes no uploads in parts"):
        files.upload(request())


def test_more_than_the_api_takes_is_not_begun(server: LoopbackServer, files: FileGateway) -> None:
    with pytest.raises(InvalidInput, match="uploads take 8,589,934,592"):
        files.upload(request(size=9 * 1024**3))
    assert server.requests == []
