"""Files that change while they are uploaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import Endpoint, UploadRequest
from gptasst.errors import InvalidInput
from tests.loopback import LoopbackServer

CONTENT = b"x" * 900_000


def grow(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(CONTENT)


@pytest.mark.parametrize(
    "change",
    [lambda file: os.truncate(file, 1000), grow, lambda file: file.write_bytes(CONTENT[1:] + b"y")],
    ids=["shrinks", "grows", "is another"],
)
def test_nothing_stays_on_the_server(tmp_path: Path, change: Callable[[Path], object]) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(CONTENT)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    request = UploadRequest(file, "a.txt", len(CONTENT), sha256, "user_data")
    changes = iter([change])

    def after_the_first_block(_: int) -> None:
        next(changes, lambda _: None)(file)

    with LoopbackServer() as server:
        gateway = OpenAIGateway(Endpoint(server.base_url, "a server", api_key="x"))
        with pytest.raises(InvalidInput, match="changed while it was uploaded") as raised:
            gateway.files.upload(request, after_the_first_block)
        gateway.close()
        assert server.files == {}
    assert raised.value.code == "file_changed"
