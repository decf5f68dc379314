"""When a request is sent again, and when not."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

import httpx2
import pytest

from gptasst.api.http import ConnectionFailure, StatusFailure
from gptasst.api.retries import wait_before_retry

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/responses")


def refused(
    status: int, code: str | None = None, headers: Mapping[str, str] | None = None
) -> StatusFailure:
    body = {"error": {"code": code}}
    return StatusFailure(
        httpx2.Response(status, headers=dict(headers or {}), json=body, request=REQUEST)
    )


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_passing_failures(status: int) -> None:
    waits = [wait_before_retry(refused(status), attempt) for attempt in range(3)]
    for attempt, wait in enumerate(waits):
        assert wait is not None
        assert 0.37 * 2**attempt <= wait <= 0.5 * 2**attempt


def test_lost_connection() -> None:
    assert wait_before_retry(ConnectionFailure(), 0) is not None


@pytest.mark.parametrize(
    "error",
    [refused(400), refused(401), refused(404), refused(429, "insufficient_quota"), ValueError()],
)
def test_final_failures(error: Exception) -> None:
    assert wait_before_retry(error, 0) is None


def test_as_the_server_asks() -> None:
    assert wait_before_retry(refused(429, headers={"retry-after": "7"}), 0) == 7
    assert wait_before_retry(refused(503, headers={"retry-after": "121"}), 0) is None
    date = email.utils.formatdate(time.time() + 60)
    wait = wait_before_retry(refused(429, headers={"retry-after": date}), 0)
    assert wait is not None
    assert 0 < wait <= 60
