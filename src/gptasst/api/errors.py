"""Errors of the SDK and of responses, as the errors that users get."""

from __future__ import annotations

import math
import urllib.request

import openai

from gptasst.api.limit_headers import retry_after
from gptasst.api.masking import mask_error, masked
from gptasst.api.types import Endpoint
from gptasst.config.urls import shown_url
from gptasst.errors import (
    AccessDenied,
    GptasstError,
    InvalidInput,
    LimitReached,
    NoAnswer,
    NotFound,
    ServiceError,
)

# FastAPI, llama.cpp, Azure; and what is said here of an answer without words.
_NO_SUCH_PATH = ("not found", "file not found", "resource not found", "http 404")


def failed_response(code: str | None, message: str, model: str, endpoint: Endpoint) -> GptasstError:
    """The error of a response that failed after it was accepted."""
    message = masked(message, endpoint)
    if code in ("rate_limit_exceeded", "insufficient_quota"):
        return _limit_reached(code, message, endpoint)
    if code == "context_length_exceeded":
        return _too_long(message, endpoint)
    failed = NoAnswer(f"`{model}` failed: {message}", hint="run it again", code="failed")
    failed.transient = code == "server_error"
    return failed


def translate_error(
    error: openai.OpenAIError, endpoint: Endpoint, model: str | None
) -> GptasstError:
    """The error that a user gets for an error of the SDK. No key is left in either."""
    mask_error(error, endpoint)
    if isinstance(error, openai.APITimeoutError):
        return ServiceError(
            f"{endpoint.name} did not answer in time",
            hint="try again later; `timeout` in its profile, or GPTASST_TIMEOUT, allows more",
            code="timeout",
        )
    if isinstance(error, openai.APIConnectionError):
        return _unreachable(error, endpoint)
    if isinstance(error, openai.APIStatusError):
        return _status_error(error, endpoint, model)
    if isinstance(error, openai.APIError):  # a nested error event in a stream
        return failed_response(_code(error), error.message, model or "the model", endpoint)
    return ServiceError(str(error))


def _unreachable(error: openai.APIConnectionError, endpoint: Endpoint) -> ServiceError:
    cause = error.__cause__
    reason = str(cause) if cause else "no connection"
    while cause is not None and not str(cause) and cause.__cause__ is not None:
        cause = cause.__cause__
        reason = str(cause)
    reason = masked(reason, endpoint)
    return ServiceError(
        f"{endpoint.name} can't be reached: {reason or type(cause).__name__}",
        hint=_connection_hint(reason, endpoint),
        code="unreachable",
    )


def _connection_hint(reason: str, endpoint: Endpoint) -> str:
    if "CERTIFICATE" in reason.upper():
        return "SSL_CERT_FILE names the certificates of an authority of your own"
    scheme, _, rest = endpoint.base_url.partition("://")
    proxy = urllib.request.getproxies().get(scheme)
    if proxy and not endpoint.embedded and not urllib.request.proxy_bypass(rest.split("/")[0]):
        return f"{scheme.upper()}_PROXY is set: is that proxy running? NO_PROXY goes past it"
    return "is a server running there, and is the base URL right?"


def _code(error: openai.APIError) -> str | None:
    body = error.body if isinstance(error.body, dict) else {}
    code = str(error.code or body.get("code") or "")
    kind = error.type or body.get("type")
    if code and not code.isdecimal():  # llama.cpp puts the status there
        return code
    return str(kind) if kind else None


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        message = body.get("message") or body.get("detail") or body.get("error")
        if message:
            return str(message)
    elif isinstance(body, str) and "json" in error.response.headers.get("content-type", ""):
        return body  # `{"error": "…"}`, as Ollama has it
    return f"HTTP {error.status_code}"


def _status_error(  # noqa: PLR0911  # one return a kind of refusal
    error: openai.APIStatusError, endpoint: Endpoint, model: str | None
) -> GptasstError:
    status, code = error.status_code, _code(error)
    message = masked(_message(error), endpoint)
    if status == 401:
        return _no_access(endpoint)
    if status == 403:
        return AccessDenied(
            f"{endpoint.name}: {message}",
            hint="`gptasst doctor` shows what the key has no permission for",
            code="no_permission",
        )
    if status == 429:
        return _limit_reached(code, message, endpoint, retry_after(error.response.headers))
    if code in ("context_length_exceeded", "exceed_context_size_error"):
        return _too_long(message, endpoint)
    if status == 413:
        return InvalidInput(
            f"the request is larger than {endpoint.name} takes", hint="send less", code="too_large"
        )
    if model and _is_about_model(status, code, message, model):
        return _no_model(model, endpoint)
    if status == 404:
        return ServiceError(
            f"{endpoint.name} has nothing at {error.request.url.path}: {message}",
            hint="is the base URL right, and does the server speak the Responses API?",
            code="no_endpoint",
        )
    if 300 <= status < 400:
        return _redirected(error, endpoint)
    if status < 500:
        return ServiceError(f"{endpoint.name} refused the request: {message}", code="bad_request")
    return ServiceError(f"{endpoint.name} failed: {message}", hint="try again later")


def _redirected(error: openai.APIStatusError, endpoint: Endpoint) -> ServiceError:
    """Content and keys go to the server that was named, and not to one that it names."""
    location = error.response.headers.get("location", "")
    target = shown_url(str(error.request.url.join(location))) if location else "elsewhere"
    return ServiceError(
        f"{endpoint.name} redirects to {target}, and redirects are not followed",
        hint="if that is the right server: set `base_url` to it",
        code="redirected",
    )


def is_missing_object(error: openai.APIStatusError) -> bool:
    """Whether an id was not found: 404 at OpenAI; others say it in words with a 400.

    A path that the server does not serve at all is something else.
    """
    message = _message(error).lower()
    if error.status_code == 404:
        return "invalid url" not in message and message not in ("not found", "http 404")
    return error.status_code == 400 and ("not found" in message or "no such" in message)


def is_missing_path(error: openai.APIStatusError) -> bool:
    """Whether a server does not serve a path at all.

    There is no one way to say so: nothing but the status, a general word, or the path itself.
    """
    if error.status_code in (405, 501):
        return True
    if error.status_code != 404:
        return False
    message = _message(error).lower().rstrip(".")
    return message in _NO_SUCH_PATH or error.request.url.path.lower() in message


def _is_about_model(status: int, code: str | None, message: str, model: str) -> bool:
    if code == "model_not_found":
        return True
    lower = message.lower()
    known = "not found" in lower or "does not exist" in lower or "deprecated" in lower
    return status in (400, 404) and known and model.lower() in lower


def _no_model(model: str, endpoint: Endpoint) -> NotFound:
    return NotFound(
        f"{endpoint.name} has no model `{model}`",
        hint="-m MODEL names another; `gptasst model list` shows what there is",
        code="model_not_found",
    )


def _no_access(endpoint: Endpoint) -> AccessDenied:
    if endpoint.api_key is None:
        return AccessDenied(f"{endpoint.name} wants a key", hint=endpoint.key_hint, code="no_key")
    return AccessDenied(
        f"{endpoint.name} does not accept the key", hint=endpoint.key_hint, code="wrong_key"
    )


def _limit_reached(
    code: str | None, message: str, endpoint: Endpoint, wait: float | None = None
) -> LimitReached:
    if code == "insufficient_quota":
        return LimitReached(
            f"{endpoint.name}: the quota is used up",
            hint="see the plan and billing of the account that the key belongs to",
            code="quota",
        )
    when = f"in {_in_words(wait)}, as the server asks" if wait else "later"
    reached = LimitReached(
        f"{endpoint.name}: too many requests: {message}", hint=f"try again {when}"
    )
    reached.transient = True
    return reached


def _in_words(seconds: float) -> str:
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{math.ceil(seconds / 3600)} hours"


def _too_long(message: str, endpoint: Endpoint) -> InvalidInput:
    return InvalidInput(
        f"the input is longer than the model takes: {message}",
        hint=more_context(endpoint),
        code="too_long",
    )


def more_context(endpoint: Endpoint) -> str:
    """What to do where the context is too small."""
    if endpoint.embedded:
        return "send less at a time, or raise `context` in [local] of config.toml"
    return "send less at a time, or use a model with a larger context"
