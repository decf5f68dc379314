"""Whose fault it is that what a server sent can't be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gptasst.api.errors import reading
from gptasst.api.events import Event
from gptasst.api.files import moment
from gptasst.api.types import Endpoint
from gptasst.errors import ServiceError

ENDPOINT = Endpoint("http://127.0.0.1/v1", "a server")
PAGE: Any = "<html>"
FILE: Any = Event(id="file-1")
ITEM: Any = {"type": "message"}


@pytest.mark.parametrize(
    "read",
    [
        lambda: PAGE.id,
        lambda: FILE["counts"],
        lambda: moment(1e300),
        lambda: moment(PAGE),
        lambda: ITEM["content"],
    ],
)
def test_of_the_server(read: Callable[[], object]) -> None:
    with pytest.raises(ServiceError, match="a server sent something") as raised, reading(ENDPOINT):
        read()
    assert raised.value.code == "not_an_api"


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda: ENDPOINT.nmae, AttributeError),  # type: ignore[attr-defined]
        ("\ud800".encode, UnicodeEncodeError),
    ],
)
def test_our_own(read: Callable[[], object], kind: type[Exception]) -> None:
    with pytest.raises(kind), reading(ENDPOINT):
        read()
