"""The check of requests itself: it must be able to fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.loopback import RequestRecord
from tests.openapi import assert_valid_request


def record(
    method: str, path: str, body: Any = None, query: dict[str, str] | None = None
) -> RequestRecord:
    headers = {} if body is None else {"content-type": "application/json"}
    return RequestRecord(method, path, query or {}, headers, body, 0 if body is None else 9, 0.0)


@pytest.mark.parametrize(
    "request_record",
    [
        record("POST", "/v1/responses", {"model": "m", "input": "hi", "store": False}),
        record("POST", "/v1/vector_stores", {"name": "n", "metadata": {"a": "b"}}),
        record("GET", "/v1/vector_stores", query={"limit": "100", "after": "vs_1"}),
        record("GET", "/v1/files/file-1/content"),
        record("POST", "/v1/vector_stores/vs_1/file_batches", {"file_ids": ["file-1"]}),
        record("DELETE", "/v1/conversations/conv_1"),
    ],
)
def test_valid(request_record: RequestRecord) -> None:
    assert_valid_request(request_record)


@pytest.mark.parametrize(
    "request_record",
    [
        record("POST", "/v1/responses", {"model": "m", "input": [{"role": "nobody"}]}),
        record("POST", "/v1/responses", {"model": "m", "input": "hi", "stroe": False}),
        record("POST", "/v1/responses", {"model": "m", "tools": [{"type": "hammer"}]}),
        record("POST", "/v1/vector_stores", {"name": 3}),
        record("GET", "/v1/vector_stores", query={"name": "n"}),
        record("POST", "/v1/vector_stores/vs_1/file_batches"),
        record("POST", "/v1/helpers", {"model": "m"}),
        record("PUT", "/v1/files"),
    ],
)
def test_wrong(request_record: RequestRecord) -> None:
    with pytest.raises(AssertionError):
        assert_valid_request(request_record)
