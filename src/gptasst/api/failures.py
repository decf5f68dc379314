"""What the error messages of servers mean.

OpenAI sends codes; other servers send text, or forms of their own.
"""

from __future__ import annotations

import re

from gptasst.api.http import StatusFailure

# FastAPI, llama.cpp, Azure; and the message for a response without one.
_NO_SUCH_PATH = ("not found", "file not found", "resource not found", "http 404")
_UNEXPECTED = "unexpected endpoint or method"  # LM Studio, with status 200
# Gateways put the provider in front: "openai error: File Not Found".
_PROVIDER = re.compile(r"^[\w-]+ error: ")
# LiteLLM's proxy without a database, for every key except its master key (400).
_LITELLM_NO_KEY = "no_db_connection"
# "Invalid 'conversation_id': 'x'. Expected an ID that begins with 'conv'." at OpenAI, "Invalid
# value for 'conversation_id': x. …" at OGX.
_ODD_ID = re.compile(r"invalid (value for )?'\w*id'")
_FILTERED = ("content_filter", "content_policy_violation", "responsibleaipolicyviolation")
_TOO_LONG = (
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
    "tokens_limit_reached",
)
# vLLM: "maximum context length is 4096 tokens", "exceeds the max_model_len 4096";
# llama.cpp: "the request exceeds the available context size"; Ollama has "exceeded context length",
# LM Studio "… with context length of only 4096 tokens, which is not enough" and "greater than the
# context length", LiteLLM "ContextWindowExceededError", Anthropic "exceed context limit", Gemini
# "exceeds the maximum number of tokens", xAI "maximum prompt length", Azure "prompt is too long".
_TOO_LONG_WORDS = re.compile(
    r"maximum (context|model|sequence|input|prompt) length|max_model_len"
    r"|(exceed(s|ed|ing)?|(longer|greater|larger) than) (the )?"
    r"(available |model'?s? |maximum |max )*(context|number of (input )?tokens)"
    r"|context length of only|contextwindowexceeded"
    r"|(prompt|input)( \(.{0,60}\))? (is )?too long|too many (input )?tokens"
    r"|must have (less|fewer) than \d+ tokens"
)
_USED_UP = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
# Anthropic: "Your credit balance is too low"; DeepSeek: "Insufficient Balance".
_USED_UP_WORDS = re.compile(
    r"credit balance is too low|insufficient (credit|balance|fund)|billing hard limit"
)
_NO_MODEL = ("model_not_found", "model_not_available", "deploymentnotfound")
# LiteLLM has "Invalid model name passed in model=…", OpenRouter "… is not a valid model ID",
# DeepSeek "Model Not Exist", `transformers serve` "Server is pinned to 'A'; requested 'B'".
_NO_MODEL_WORDS = re.compile(
    r"not found|(does )?not exist|deprecated|invalid model|not a valid model|unknown model"
    r"|no such model|unable to access model|server is pinned to"
)
_NO_MODEL_ALONE = re.compile(r"^\W*(the )?(invalid model|(this )?model (was )?not (exist|found))")
_PARTS = {
    "files": "files",
    "uploads": "uploads in parts",
    "vector_stores": "vector stores",
    "conversations": "conversations",
    "batches": "batches",
    "embeddings": "embeddings",
}


def code_of(error: StatusFailure) -> str | None:
    """The code of an error, or else its type."""
    body = error.body if isinstance(error.body, dict) else {}
    code = str(body.get("code") or "")
    kind = body.get("type")
    if code and not code.isdecimal():  # llama.cpp puts the status code there
        return code
    return str(kind) if kind else None


# Where OpenAI, FastAPI, OAuth, Ollama, Pydantic, problem+json, AWS and Apigee put their words.
_WORDS = (
    "message", "detail", "error_description", "error", "errors", "msg", "title", "Message", "fault",
    "faultstring", "reason",
)  # fmt: skip
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_LONGEST_TEXT = 300
_DEEPEST = 5


def words_in(value: object, depth: int = 0) -> str:
    """The words in an error of any form; empty if there are none."""
    if isinstance(value, str):
        return value.strip()
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (words_in(each, depth + 1) for each in value)))
    if not isinstance(value, dict):
        return ""
    words = next(filter(None, (words_in(value.get(key), depth + 1) for key in _WORDS)), "")
    place = value.get("loc")  # Pydantic: where in the request
    if words and isinstance(place, list):
        return f"{'.'.join(map(str, place))}: {words}"
    return words


def words_of(error: StatusFailure) -> str | None:
    """A server's error message, if there is one; of a web page its title."""
    import html

    if not is_plain(error):
        return words_in(error.body) or None
    text = error.body
    if text.startswith("<"):
        titles = _TITLE.findall(text)
        text = html.unescape(titles[0]) if titles else ""
    return " ".join(text.split())[:_LONGEST_TEXT] or None


def is_plain(error: StatusFailure) -> bool:
    """Whether an error is text or a web page, as proxies and web servers send it."""
    kind = error.response.headers.get("content-type", "")
    return isinstance(error.body, str) and "json" not in kind


def message_of(error: StatusFailure) -> str:
    return words_of(error) or f"HTTP {error.status_code}"


def is_too_long(code: str | None, message: str) -> bool:
    return code in _TOO_LONG or bool(_TOO_LONG_WORDS.search(message.lower()))


def is_no_access(status: int, code: str | None) -> bool:
    """Whether the server, or a proxy, refused the key."""
    return code == _LITELLM_NO_KEY or (status in (401, 403, 407) and code not in _USED_UP)


def is_used_up(status: int, code: str | None, message: str = "") -> bool:
    """Whether the account's quota is used up. OpenRouter and others send 402."""
    words = status < 500 and _USED_UP_WORDS.search(message.lower())
    return status == 402 or code in _USED_UP or bool(words)


def filtered_for(code: str | None, body: object) -> str | None:
    """What a content filter found, with its severity; `None` for other errors.

    Azure reports it as `content_filter_result` or `content_filter_results`, in `innererror` or in a
    list `content_filters`: categories with `filtered` and, for some, `severity`.

    Args:
        code: of the error.
        body: the error.
    """
    inner = body.get("innererror") if isinstance(body, dict) else None
    codes = {code, inner.get("code") if isinstance(inner, dict) else None}
    if not {str(each).lower() for each in codes} & set(_FILTERED):
        return None
    return filter_categories(body) or "no category is named"


def filter_categories(body: object, depth: int = 0) -> str:
    """The categories for which a content filter stopped an input or an answer."""
    found: dict[str, None] = {}
    inside = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    for key in ("content_filter_result", "content_filter_results"):
        results = body.get(key) if isinstance(body, dict) else None
        for category, result in results.items() if isinstance(results, dict) else ():
            if isinstance(result, dict) and result.get("filtered"):
                severity = result.get("severity")
                found[f"{category} ({severity})" if severity else str(category)] = None
    deeper = (filter_categories(each, depth + 1) for each in inside if depth < _DEEPEST)
    return ", ".join(found) or next(filter(None, deeper), "")


def is_missing_object(error: StatusFailure) -> bool:
    """Whether an id was not found: OpenAI sends 404, others a message with 400.

    An invalid id, which OpenAI and OGX refuse with 400, also counts as not found. A path that
    the server does not have at all does not.
    """
    message = message_of(error).lower()
    if is_plain(error) or is_expired(message):
        return False
    if error.status_code == 404:
        return "invalid url" not in message and message not in ("not found", "http 404")
    missing = "not found" in message or "no such" in message or _ODD_ID.search(message)
    return error.status_code == 400 and bool(missing)


def is_missing_path(error: StatusFailure) -> bool:
    """Whether a server does not have a path at all.

    Servers report it in different ways: only the status, a general message, or the path.
    """
    message = _PROVIDER.sub("", message_of(error).lower().rstrip("."))
    if error.status_code in (405, 501) or message.startswith(_UNEXPECTED):
        return True
    if error.status_code != 404:
        return False
    path = error.path.lower()
    told = message in _NO_SUCH_PATH or path in message or "invalid url" in message
    return told or is_plain(error)


def missing_part(error: StatusFailure) -> str | None:
    """The part of the API that a server lacks, if assistants need it."""
    if not is_missing_path(error):
        return None
    segments = error.path.rstrip("/").split("/")
    return next((_PARTS[segment] for segment in segments if segment in _PARTS), None)


def is_about_model(status: int, code: str | None, message: str, model: str) -> bool:
    """Whether the server does not have the model."""
    if code and code.lower() in _NO_MODEL:
        return True
    lower = message.lower()
    named = re.search(rf"(?<!\w){re.escape(model.lower())}(?!\w)", lower)
    known = _NO_MODEL_WORDS.search(lower) if named else _NO_MODEL_ALONE.search(lower)
    return status in (400, 404, 422) and bool(known)


# open-responses-server, ChatGPT's own backend and other gateways only stream.
_ONLY_STREAMS = re.compile(
    r"stream\W+(must|should|has to|needs to) be (set to )?true|only supports? stream"
    r"|only streaming|streaming is required|non-?stream\w* (\w+ )*(is |are )?(not |un)supported"
)


def wants_stream(error: StatusFailure) -> bool:
    """Whether a server refused to send an answer in one piece."""
    return error.status_code in (400, 422, 501) and bool(
        _ONLY_STREAMS.search(message_of(error).lower())
    )


def is_expired(message: str) -> bool:
    """Whether a vector store has expired: `Vector store vs_1 has expired` or `is expired`."""
    lower = message.lower()
    return "expired" in lower and "vector store" in lower.replace("_", " ")
