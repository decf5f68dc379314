"""/v1/batches."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import OpenAI

from . import LoopbackServer, outcomes
from .driving import MODEL, valid


def line(number: int, text: str = "hello", **body: Any) -> dict[str, Any]:
    asked = {"model": MODEL, "input": text, **body}
    return {"custom_id": f"r{number}", "method": "POST", "url": "/v1/responses", "body": asked}


def submit(client: OpenAI, *lines: Any, **more: Any) -> Any:
    data = "".join(
        (text if isinstance(text, str) else json.dumps(text)) + "\n" for text in lines
    ).encode()
    file = client.files.create(file=("b.jsonl", data), purpose="batch")
    return valid(
        client.batches.create(
            input_file_id=file.id, endpoint="/v1/responses", completion_window="24h", **more
        )
    )


def lines(client: OpenAI, file_id: str | None) -> list[Any]:
    assert file_id is not None
    return [json.loads(text) for text in client.files.content(file_id).read().splitlines()]


def test_answers_come_in_any_order(server: LoopbackServer, client: OpenAI) -> None:
    server.batch_fails_on = "bad"
    asked = [line(n, f"number {n}") for n in range(50)]
    made = submit(
        client, *asked, line(50, "bad"), line(51, conversation="conv_none"), metadata={"a": "b"}
    )
    assert (made.status, made.metadata) == ("validating", {"a": "b"})

    done = valid(client.batches.retrieve(made.id))
    assert (done.status, done.request_counts.completed, done.request_counts.failed) == (
        "completed", 50, 2,
    )  # fmt: skip
    answered = lines(client, done.output_file_id)
    ids = [found["custom_id"] for found in answered]
    assert sorted(ids) == sorted(f"r{n}" for n in range(50))
    assert ids != sorted(ids, key=lambda name: int(name[1:]))
    for found in answered:
        (message,) = found["response"]["body"]["output"]
        assert message["content"][0]["text"] == f"number {found['custom_id'][1:]}"
    failed = {
        f["custom_id"]: f["response"]["status_code"] for f in lines(client, done.error_file_id)
    }
    assert failed == {"r50": 500, "r51": 404}


def test_outcomes_of_lines(server: LoopbackServer, client: OpenAI) -> None:
    server.outcomes += [outcomes.refusal("No."), outcomes.http_error(429, "rate_limit_exceeded")]
    made = submit(client, line(0), line(1))
    done = client.batches.retrieve(made.id)

    (refused,) = lines(client, done.output_file_id)
    assert refused["response"]["body"]["output"][0]["content"][0]["type"] == "refusal"
    (limited,) = lines(client, done.error_file_id)
    assert limited["response"]["status_code"] == 429


def test_status_follows_from_age(server: LoopbackServer, client: OpenAI) -> None:
    server.batch_delay = 1000
    made = submit(client, line(0), line(1))
    job = server.batches[made.id]
    seen = []
    for age in (0, 300, 800, 1000):
        job.created -= age
        seen.append(client.batches.retrieve(made.id).status)
        job.created += age
    assert seen == ["validating", "in_progress", "finalizing", "completed"]


def test_expired(server: LoopbackServer, client: OpenAI) -> None:
    server.batch_expires_on = "late"
    done = client.batches.retrieve(submit(client, line(0), line(1, "too late")).id)

    assert done.status == "expired"
    assert [found["custom_id"] for found in lines(client, done.output_file_id)] == ["r0"]
    (late,) = lines(client, done.error_file_id)
    assert (late["custom_id"], late["response"], late["error"]["code"]) == (
        "r1", None, "batch_expired",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (["no json"], "invalid_json_line"),
        ([line(0), line(0)], "duplicate_custom_id"),
        ([line(0), line(1, model="other")], "mismatched_model"),
        ([line(0) | {"url": "/v1/other"}], "invalid_url"),
        ([line(0, tools=[{"type": "file_search", "vector_store_ids": []}])], "unsupported_tool"),
    ],
)
def test_failing_validation(
    server: LoopbackServer, client: OpenAI, asked: list[Any], code: str
) -> None:
    server.batch_refused_tools.add("file_search")
    done = valid(client.batches.retrieve(submit(client, *asked).id))

    assert (done.status, done.output_file_id) == ("failed", None)
    assert code in {error.code for error in done.errors.data}


def test_list_and_cancel(server: LoopbackServer, client: OpenAI) -> None:
    server.batch_delay = 1000
    made = [submit(client, line(0)).id for _ in range(3)]

    assert [valid(found).id for found in client.batches.list(limit=2)] == made[::-1]
    assert client.batches.cancel(made[0]).status == "cancelling"
    assert valid(client.batches.retrieve(made[0])).status == "cancelled"
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(made[0])
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_none")


def test_only_files_for_batches(client: OpenAI) -> None:
    file = client.files.create(file=("a.md", b"x"), purpose="assistants")
    with pytest.raises(openai.BadRequestError):
        client.batches.create(
            input_file_id=file.id, endpoint="/v1/responses", completion_window="24h"
        )
