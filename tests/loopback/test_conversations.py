"""/v1/conversations, and responses that take part in one."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI

from .driving import ask, stream, valid


def message(text: str, role: str = "user") -> Any:
    return {"type": "message", "role": role, "content": text}


def texts(client: OpenAI, conversation: str) -> list[str]:
    items: Any = client.conversations.items.list(conversation, order="asc")
    return [item.content[0].text for item in items]


def test_create_get_update_delete(client: OpenAI) -> None:
    made = valid(client.conversations.create(metadata={"a": "b"}, items=[message("x" * 300_000)]))

    assert valid(client.conversations.retrieve(made.id)).metadata == {"a": "b"}
    assert texts(client, made.id) == ["x" * 300_000]
    assert client.conversations.update(made.id, metadata={"c": "d"}).metadata == {"c": "d"}
    assert valid(client.conversations.delete(made.id)).deleted
    for gone in (
        client.conversations.retrieve,
        client.conversations.delete,
        client.conversations.items.list,
    ):
        with pytest.raises(openai.NotFoundError):
            gone(made.id)


def test_items(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    items = client.conversations.items
    assert items.list(conversation).data == []
    answer: Any = [message("a1", "assistant")]
    made = [
        *valid(items.create(conversation, items=[message("u1"), message("u2")])).data,
        *items.create(conversation, items=answer).data,
    ]
    ids: list[Any] = [item.id for item in made]

    assert [valid(item).id for item in items.list(conversation)] == ids[::-1]
    assert [item.id for item in items.list(conversation, limit=1, order="asc")] == ids
    assert items.list(conversation, after=ids[1]).data[0].id == ids[0]
    first: Any = valid(items.retrieve(ids[0], conversation_id=conversation))
    assert (first.role, first.content[0].type, first.content[0].text) == (
        "user", "input_text", "u1",
    )  # fmt: skip
    last: Any = items.retrieve(ids[2], conversation_id=conversation)
    assert last.content[0].type == "output_text"
    assert items.delete(ids[0], conversation_id=conversation).id == conversation
    assert texts(client, conversation) == ["u2", "a1"]
    with pytest.raises(openai.NotFoundError):
        items.retrieve(ids[0], conversation_id=conversation)


def test_twenty_items_at_a_time(client: OpenAI) -> None:
    made = client.conversations.create(items=[message(str(n)) for n in range(20)])
    too_many = [message("x")] * 21

    assert len(texts(client, made.id)) == 20
    with pytest.raises(openai.BadRequestError):
        client.conversations.create(items=too_many)
    with pytest.raises(openai.BadRequestError):
        client.conversations.items.create(made.id, items=too_many)


def test_responses_take_part(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    response = ask(client, "one", conversation=conversation)
    stream(client, "two", conversation={"id": conversation})

    assert response.conversation.id == conversation
    assert texts(client, conversation) == ["one", "one", "two", "two"]
    with pytest.raises(openai.NotFoundError):
        ask(client, conversation="conv_none")
