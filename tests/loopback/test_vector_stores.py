"""/v1/vector_stores, their files and batches."""

from __future__ import annotations

import math
import time
from typing import Any

import openai
import pytest
from openai import OpenAI

from . import LoopbackServer
from .driving import valid


def upload(client: OpenAI, name: str, text: str = "x") -> str:
    return client.files.create(file=(name, text.encode()), purpose="assistants").id


class TestStores:
    def test_create_get_update_delete(self, client: OpenAI) -> None:
        policy: Any = {"anchor": "last_active_at", "days": 2}
        made = valid(
            client.vector_stores.create(name="n", metadata={"a": "1"}, expires_after=policy)
        )
        assert (made.name, made.metadata, made.status) == ("n", {"a": "1"}, "completed")
        assert made.expires_at > time.time()

        client.vector_stores.update(made.id, name="other")
        found = valid(client.vector_stores.retrieve(made.id))
        assert (found.name, found.metadata) == ("other", {"a": "1"})
        assert valid(client.vector_stores.delete(made.id)).deleted
        for gone in (client.vector_stores.retrieve, client.vector_stores.delete):
            with pytest.raises(openai.NotFoundError):
                gone(made.id)

    @pytest.mark.parametrize(("mode", "kept"), [("merge", {"a": "1"}), ("replace", {})])
    def test_metadata(
        self, server: LoopbackServer, client: OpenAI, mode: Any, kept: dict[str, str]
    ) -> None:
        server.metadata_mode = mode
        store = client.vector_stores.create(metadata={"a": "1", "b": "1"})
        updated = client.vector_stores.update(store.id, metadata={"b": "2"})

        assert updated.metadata == kept | {"b": "2"}
        assert client.vector_stores.retrieve(store.id).metadata == updated.metadata
        for wrong in ({"a" * 65: "x"}, {"a": "x" * 513}, {str(n): "" for n in range(17)}):
            with pytest.raises(openai.BadRequestError):
                client.vector_stores.update(store.id, metadata=wrong)

    def test_list(self, client: OpenAI) -> None:
        ids = [client.vector_stores.create(name=str(n)).id for n in range(25)]
        newest = ids[::-1]

        first = client.vector_stores.list()
        assert [valid(store).id for store in first.data] == newest[:20]
        assert first.has_more
        assert [store.id for store in client.vector_stores.list(limit=3, order="asc")] == ids
        before = client.vector_stores.list(before=newest[10], limit=2)
        assert [store.id for store in before.data] == newest[8:10]
        for wrong in ({"limit": 101}, {"limit": 0}, {"after": "vs_none"}):
            with pytest.raises(openai.BadRequestError):
                client.vector_stores.list(**wrong)

    def test_unknown_parameters(self, client: OpenAI) -> None:
        store = client.vector_stores.create()
        with pytest.raises(openai.BadRequestError) as caught:
            client.vector_stores.update(store.id, extra_body={"file_ids": []})
        assert caught.value.code == "unknown_parameter"


class TestFiles:
    def test_attach_list_update_detach(self, client: OpenAI) -> None:
        store = client.vector_stores.create().id
        first, second = upload(client, "a.md"), upload(client, "b.md")
        files = client.vector_stores.files
        made = valid(files.create(store, file_id=first, attributes={"p": "a", "n": 1}))
        files.create(store, file_id=second)

        assert (made.status, made.attributes) == ("in_progress", {"p": "a", "n": 1})
        assert [valid(found).id for found in files.list(store, order="asc")] == [first, second]
        found = valid(files.retrieve(first, vector_store_id=store))
        assert (found.status, found.usage_bytes) == ("completed", 1)
        files.update(first, vector_store_id=store, attributes={"q": True})
        assert files.retrieve(first, vector_store_id=store).attributes == {"q": True}
        assert [part.text for part in files.content(first, vector_store_id=store)] == ["x"]
        assert valid(files.delete(first, vector_store_id=store)).deleted
        with pytest.raises(openai.NotFoundError):
            files.retrieve(first, vector_store_id=store)
        with pytest.raises(openai.NotFoundError):
            files.create(store, file_id="file-none")
        assert client.files.retrieve(first).id == first

    def test_indexing_takes_time(self, server: LoopbackServer, client: OpenAI) -> None:
        server.index_delay = math.inf
        store = client.vector_stores.create().id
        client.vector_stores.files.create(store, file_id=upload(client, "a.md"))

        found = valid(client.vector_stores.retrieve(store))
        assert (found.status, found.file_counts.in_progress) == ("in_progress", 1)
        assert client.vector_stores.search(store, query="x").data == []
        server.index_delay = 0
        assert client.vector_stores.retrieve(store).file_counts.completed == 1

    def test_indexing_fails(self, server: LoopbackServer, client: OpenAI) -> None:
        server.index_failures["bad.md"] = ("unsupported_file", "no")
        store = client.vector_stores.create().id
        bad, good = upload(client, "bad.md"), upload(client, "good.md")
        files = client.vector_stores.files
        for file_id in (bad, good):
            files.create(store, file_id=file_id)

        failed = valid(files.retrieve(bad, vector_store_id=store))
        assert failed.status == "failed"
        assert failed.last_error
        assert (failed.last_error.code, failed.last_error.message) == ("unsupported_file", "no")
        assert [found.id for found in files.list(store, filter="failed")] == [bad]
        assert client.vector_stores.retrieve(store).file_counts.to_dict() == {
            "in_progress": 0, "completed": 1, "failed": 1, "cancelled": 0, "total": 2,
        }  # fmt: skip

    def test_search(self, client: OpenAI) -> None:
        files = {"z.md": "Zebras have stripes.", "l.md": "Lions have manes.", "e.md": "Empty."}
        store = client.vector_stores.create().id
        for name, text in files.items():
            client.vector_stores.files.create(
                store, file_id=upload(client, name, text), attributes={"path": name}
            )
        search = client.vector_stores.search

        found = [valid(result) for result in search(store, query="have stripes")]
        assert [result.filename for result in found] == ["z.md", "l.md"]
        assert found[0].content[0].text == files["z.md"]
        assert found[0].attributes == {"path": "z.md"}
        assert found[0].score > found[1].score
        only: Any = {"type": "eq", "key": "path", "value": "l.md"}
        both: Any = {"type": "and", "filters": [only, {**only, "type": "ne"}]}
        assert [r.filename for r in search(store, query="have", filters=only)] == ["l.md"]
        assert search(store, query="have", filters=both).data == []
        assert len(search(store, query=["have", "manes"], max_num_results=1).data) == 1
        wrong: Any = {"type": "like", "key": "path", "value": ""}
        with pytest.raises(openai.BadRequestError):
            search(store, query="have", filters=wrong)


class TestBatches:
    def test_with_one_set_of_attributes(self, client: OpenAI) -> None:
        store = client.vector_stores.create().id
        ids = [upload(client, f"{n}.md") for n in range(3)]
        batches = client.vector_stores.file_batches
        made = valid(batches.create(store, file_ids=ids, attributes={"a": 1}))

        assert (made.status, made.file_counts.in_progress) == ("in_progress", 3)
        found = valid(batches.retrieve(made.id, vector_store_id=store))
        assert (found.status, found.file_counts.completed) == ("completed", 3)
        listed = list(batches.list_files(made.id, vector_store_id=store, order="asc"))
        assert [(file.id, file.attributes) for file in listed] == [(i, {"a": 1}) for i in ids]

    def test_with_attributes_each(self, server: LoopbackServer, client: OpenAI) -> None:
        server.index_failures["1.md"] = ("invalid_file", "no")
        store = client.vector_stores.create().id
        wanted: Any = [
            {"file_id": upload(client, f"{n}.md"), "attributes": {"n": n}} for n in range(2)
        ]
        made = client.vector_stores.file_batches.create_and_poll(store, files=wanted)

        assert (made.status, made.file_counts.failed) == ("completed", 1)
        attributes = [f.attributes for f in client.vector_stores.files.list(store, order="asc")]
        assert attributes == [{"n": 0}, {"n": 1}]

    def test_cancel(self, server: LoopbackServer, client: OpenAI) -> None:
        server.index_delay = math.inf
        store = client.vector_stores.create().id
        batches = client.vector_stores.file_batches
        made = batches.create(store, file_ids=[upload(client, "a.md")])

        cancelled = batches.cancel(made.id, vector_store_id=store)
        assert (cancelled.status, cancelled.file_counts.cancelled) == ("cancelled", 1)

    def test_wrong_batches(self, client: OpenAI) -> None:
        store = client.vector_stores.create().id
        one = upload(client, "a.md")
        batches = client.vector_stores.file_batches
        twice: Any = {"file_ids": [one], "files": [{"file_id": one}]}
        wrongs: list[Any] = [twice, {"file_ids": []}, {}, {"file_ids": [one] * 2001}]
        for wrong in wrongs:
            with pytest.raises(openai.BadRequestError):
                batches.create(store, **wrong)
        with pytest.raises(openai.NotFoundError):
            batches.create(store, file_ids=[one, "file-none"])
        with pytest.raises(openai.NotFoundError):
            batches.retrieve("vsfb_none", vector_store_id=store)
        assert client.vector_stores.files.list(store).data == []
