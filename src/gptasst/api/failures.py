"""Requests that failed: what the HTTP client raises and what a server says, with secrets masked.

OpenAI has codes; other servers say the same in words, or in forms of their own.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from gptasst.api.types import Endpoint
from gptasst.errors import ServiceError

if TYPE_CHECKING:
    import httpx2


class RequestFailure(Exception):
    """A request without an answer that can be used. The SDK passes it on as it is."""


class ConnectionFailure(RequestFailure):
    """No answer came. The cause is the error of the HTTP library."""

    def __init__(self, request: httpx2.Request) -> None:
        super().__init__("no connection")
        self.request = request


class TimedOut(ConnectionFailure):
    """A server that takes no connection, or said nothing for too long."""


class StatusFailure(RequestFailure):
    """A server refused a request.

    Attributes:
        response: what it answered, read to its end.
        body: the error in it: the JSON in `error`, else all JSON, else its text.
    """

    def __init__(self, response: httpx2.Response) -> None:
        text = response.text.strip()
        super().__init__(f"HTTP {response.status_code}: {text}")
        self.response = response
        self.body: Any = text
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        self.body = said.get("error", said) if isinstance(said, dict) else said

    @property
    def request(self) -> httpx2.Request:
        return self.response.request

    @property
    def status_code(self) -> int:
        return self.response.status_code


# What JSON is made of.
_SENT = (str, int, float, list, dict, type(None))


@contextlib.contextmanager
def reading(endpoint: Endpoint) -> Iterator[None]:
    """Translate the errors of reading what a server sent.

    An attribute that an object of ours lacks, or a text that can't be
    encoded, is no fault of the server's and goes on as it is.

    Raises:
        ServiceError: it is not what the API sends.
    """
    try:
        yield
    except UnicodeEncodeError:
        raise
    except RecursionError as error:
        raise ServiceError(
            f"{endpoint.name} sent JSON that is nested too deeply to be read",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        ) from error
    except (ValueError, AttributeError, TypeError, LookupError, OverflowError) as error:
        if isinstance(error, AttributeError) and not isinstance(error.obj, _SENT):
            raise
        raise ServiceError(
            f"{endpoint.name} sent something that is not an answer of the API",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        ) from error


_MASK = "[key]"
# Servers that want no key are given words such as `x`, which are no secret.
_SHORTEST_SECRET = 8
# httpx quotes a header that it does not send, in a form of its own.
_QUOTED_HEADER = re.compile(r"(Illegal header (?:name|value)) .*", re.DOTALL)


def masked(text: str, endpoint: Endpoint) -> str:
    """A text without the key, the values of further headers, and passwords of URLs."""
    for secret in _secrets(endpoint):
        text = text.replace(secret, _MASK)
    return _QUOTED_HEADER.sub(r"\1", text)


def mask_error(error: BaseException, endpoint: Endpoint) -> None:
    """Mask what an exception says, and those that it came from: tracebacks show them all."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.args = tuple(masked(a, endpoint) if isinstance(a, str) else a for a in one.args)
        message = getattr(one, "message", None)
        if isinstance(message, str):
            one.message = masked(message, endpoint)  # type: ignore[attr-defined]  # it is there
        waiting += [one.__cause__, one.__context__]


def _secrets(endpoint: Endpoint) -> list[str]:
    """What may not be said, the longest first, as one may be part of another."""
    found = {secret for secret in _all_secrets(endpoint) if len(secret) >= _SHORTEST_SECRET}
    passwords = {secret for url in _urls(endpoint) for secret in _passwords(url)}
    return sorted(found | passwords, key=len, reverse=True)


def _all_secrets(endpoint: Endpoint) -> Iterator[str]:
    yield endpoint.api_key or ""
    values = list(endpoint.headers.values())
    if endpoint.openai_environment:
        lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        values += [line.partition(":")[2].strip() for line in lines]
    for value in values:
        yield value
        yield value.rpartition(" ")[2]  # without `Bearer`


def _urls(endpoint: Endpoint) -> list[str]:
    return [endpoint.base_url, *urllib.request.getproxies().values()]


def _passwords(url: str) -> Iterator[str]:
    """The user and password of a URL as they may be quoted; short ones only together."""
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    user, colon, password = userinfo.partition(":")
    if not colon or not password:
        return
    yield userinfo + "@"
    yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    for quoted in (password, unquote(password)):
        if len(quoted) >= _SHORTEST_SECRET:
            yield quoted


# FastAPI, llama.cpp, Azure; and the message for an answer without any.
_NO_SUCH_PATH = ("not found", "file not found", "resource not found", "http 404")
# LiteLLM's proxy without a database, of every key but the one it was started with (400).
_LITELLM_NO_KEY = "no_db_connection"
# "Invalid 'conversation_id': 'x'. Expected an ID that begins with 'conv'." at OpenAI, "Invalid
# value for 'conversation_id': x. …" at OGX.
_ODD_ID = re.compile(r"invalid (value for )?'\w*id'")
_FILTERED = ("content_filter", "content_policy_violation", "responsibleaipolicyviolation")
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error")
# vLLM: "maximum context length is 4096 tokens"; llama.cpp: "the request exceeds the available
# context size"; LiteLLM: "ContextWindowExceededError"; Azure and others: "prompt is too long".
_TOO_LONG_WORDS = re.compile(
    r"maximum context length|exceeds? (the )?(available |model'?s? |maximum )*context"
    r"|contextwindowexceeded|(prompt|input) is too long"
)
_USED_UP = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
_NO_MODEL = ("model_not_found", "deploymentnotfound")
_PARTS = {
    "files": "files",
    "uploads": "uploads in parts",
    "vector_stores": "vector stores",
    "conversations": "conversations",
    "batches": "batches",
}


def code_of(error: StatusFailure) -> str | None:
    """The code of an error, or its type where there is none."""
    body = error.body if isinstance(error.body, dict) else {}
    code = str(body.get("code") or "")
    kind = body.get("type")
    if code and not code.isdecimal():  # llama.cpp puts the status there
        return code
    return str(kind) if kind else None


def words_of(error: StatusFailure) -> str | None:
    """What a server says of an error, if it says anything."""
    body = error.body
    if isinstance(body, dict):
        message = body.get("message") or body.get("detail") or body.get("error")
        return str(message) if message else None
    if isinstance(body, str) and "json" in error.response.headers.get("content-type", ""):
        return body  # `{"error": "…"}`, as Ollama has it
    return None


def message_of(error: StatusFailure) -> str:
    return words_of(error) or f"HTTP {error.status_code}"


def is_too_long(code: str | None, message: str) -> bool:
    return code in _TOO_LONG or bool(_TOO_LONG_WORDS.search(message.lower()))


def is_no_access(status: int, code: str | None) -> bool:
    """Whether the key is what is refused."""
    return code == _LITELLM_NO_KEY or (status in (401, 403) and code not in _USED_UP)


def is_used_up(status: int, code: str | None) -> bool:
    """Whether there is no money left: 402 is OpenRouter's and others'."""
    return status == 402 or code in _USED_UP


def filtered_for(error: StatusFailure) -> str | None:
    """What a content filter found in the input, with its strength; `None` if it was none.

    Azure says it in `innererror.content_filter_result`: a category each, with `filtered` and,
    for some, `severity`.
    """
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("innererror")
    inner = inner if isinstance(inner, dict) else {}
    codes = {str(code).lower() for code in (code_of(error), inner.get("code")) if code}
    if not codes & set(_FILTERED):
        return None
    results = inner.get("content_filter_result") or inner.get("content_filter_results")
    found = []
    for category, result in results.items() if isinstance(results, dict) else ():
        if isinstance(result, dict) and result.get("filtered"):
            severity = result.get("severity")
            found.append(f"{category} ({severity})" if severity else str(category))
    return ", ".join(found) or "no category is named"


def is_missing_object(error: StatusFailure) -> bool:
    """Whether an id was not found: 404 at OpenAI; others say it in words with a 400.

    An id that can't be one, which OpenAI and OGX refuse with a 400, is not there either. A path
    that the server does not serve at all is something else.
    """
    message = message_of(error).lower()
    if error.status_code == 404:
        return "invalid url" not in message and message not in ("not found", "http 404")
    missing = "not found" in message or "no such" in message or _ODD_ID.search(message)
    return error.status_code == 400 and bool(missing)


def is_missing_path(error: StatusFailure) -> bool:
    """Whether a server does not serve a path at all.

    There is no one way to say so: nothing but the status, a general word, or the path itself.
    """
    if error.status_code in (405, 501):
        return True
    if error.status_code != 404:
        return False
    message = message_of(error).lower().rstrip(".")
    path = error.request.url.path.lower()
    return message in _NO_SUCH_PATH or path in message or "invalid url" in message


def missing_part(error: StatusFailure) -> str | None:
    """Which part of the API a server lacks, where it is one that assistants need."""
    if not is_missing_path(error):
        return None
    segments = error.request.url.path.rstrip("/").split("/")
    return next((_PARTS[segment] for segment in segments if segment in _PARTS), None)


def is_about_model(status: int, code: str | None, message: str, model: str) -> bool:
    """Whether it is the model that a server does not have."""
    if code and code.lower() in _NO_MODEL:
        return True
    lower = message.lower()
    known = "not found" in lower or "does not exist" in lower or "deprecated" in lower
    return status in (400, 404) and known and model.lower() in lower


def is_expired(message: str) -> bool:
    """Whether a vector store is over: `Vector store vs_1 has expired` or `is expired`."""
    lower = message.lower()
    return "expired" in lower and "vector store" in lower.replace("_", " ")
