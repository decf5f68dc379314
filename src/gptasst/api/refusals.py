"""What a server says with a refusal: its words, its code, and what they are about.

OpenAI has codes; other servers say the same in words, or in forms of their own.
"""

from __future__ import annotations

import re

from gptasst.api.failures import StatusFailure

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
