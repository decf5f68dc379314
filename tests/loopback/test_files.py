"""/v1/files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from . import LoopbackServer
from .driving import valid


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"--\r\n--", bytes(range(256)) * 300, "Grüße".encode("utf-16")]
)
def test_bytes_stay_as_they_are(server: LoopbackServer, client: OpenAI, data: bytes) -> None:
    made = valid(client.files.create(file=("a.bin", data), purpose="batch"))

    assert (made.bytes, made.purpose, made.expires_at) == (len(data), "batch", None)
    assert server.files[made.id].data == data
    assert client.files.content(made.id).read() == data


@pytest.mark.parametrize(
    "name", ["plain.md", 'quo"te.md', "Grüße 世界.md", "semi;colon=.md", "a\\b.md"]
)
def test_names_stay_as_they_are(client: OpenAI, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")

    assert client.files.create(file=path, purpose="assistants").filename == name


def test_expiry(client: OpenAI) -> None:
    def create(seconds: int) -> Any:
        policy: Any = {"anchor": "created_at", "seconds": seconds}
        return client.files.create(file=b"x", purpose="user_data", expires_after=policy)

    assert abs(create(3600).expires_at - time.time() - 3600) < 5
    with pytest.raises(openai.BadRequestError):
        create(3599)


def test_list_get_delete(client: OpenAI) -> None:
    made = [client.files.create(file=(f"{n}.md", b"x"), purpose="assistants").id for n in range(5)]
    other = client.files.create(file=("o.md", b"x"), purpose="user_data").id

    assert [valid(found).id for found in client.files.list()] == [other, *reversed(made)]
    by_pages = client.files.list(limit=2, order="asc", purpose="assistants")
    assert by_pages.has_more
    assert [found.id for found in by_pages] == made
    assert client.files.list(after=made[1]).data[0].id == made[0]
    assert client.files.retrieve(other).filename == "o.md"
    assert valid(client.files.delete(other)).deleted
    for gone in (client.files.retrieve, client.files.delete, client.files.content):
        with pytest.raises(openai.NotFoundError):
            gone(other)
    with pytest.raises(openai.BadRequestError):
        client.files.content(made[0])
    with pytest.raises(openai.BadRequestError):
        client.files.list(limit=10_001)


def test_deleting_detaches(client: OpenAI) -> None:
    file_id = client.files.create(file=("a.md", b"x"), purpose="assistants").id
    stores = [client.vector_stores.create(file_ids=[file_id]) for _ in range(2)]
    client.files.delete(file_id)

    for store in stores:
        assert client.vector_stores.files.list(store.id).data == []
        assert client.vector_stores.retrieve(store.id).file_counts.total == 0


@pytest.mark.parametrize("purpose", ["", "nonsense"])
def test_purposes(client: OpenAI, purpose: Any) -> None:
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=b"x", purpose=purpose)
