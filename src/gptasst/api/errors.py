"""Requests and responses that failed, as the errors that users get."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from gptasst.api.failures import (
    code_of,
    filtered_for,
    is_about_model,
    is_expired,
    is_no_access,
    is_plain,
    is_too_long,
    is_used_up,
    message_of,
    missing_part,
    words_in,
    words_of,
)
from gptasst.api.http import ConnectionFailure, RequestFailure, StatusFailure, TimedOut
from gptasst.api.limits import OverLimit
from gptasst.api.masking import mask_error, masked
from gptasst.api.retries import retry_after
from gptasst.api.surroundings import login_wanted, proxy_between
from gptasst.api.types import Endpoint
from gptasst.config.urls import has_login, shown_url
from gptasst.errors import (
    AccessDenied,
    GptasstError,
    InvalidInput,
    LimitReached,
    NoAnswer,
    NotFound,
    ServiceError,
)
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.errors import Code

_LONGEST_REASON = 300
# llama.cpp: "image input is not supported", "'input_file' is not supported by llamacpp"; vLLM: "is
# not a multimodal model", "Unsupported chat content part type: 'input_file'"; Ollama: "file inputs
# are not currently supported", "missing data required for image input"; LM Studio: "Model does not
# support images", "Vision add-on is not loaded".
_NO_IMAGES = re.compile(
    r"(image input|input_image)'? is not supported|not a multimodal model|part type: 'input_image'"
    r"|data required for image input|not support (image|vision)|vision add-on is not loaded"
)
_NO_DOCUMENTS = re.compile(
    r"input_file'? is not supported|file inputs are not (currently )?supported"
    r"|part type: 'input_file'"
)
# A JSON value.
_SENT = (str, int, float, list, dict, type(None))
_STORE_ID = re.compile(r"\bvs_\w+")


@contextlib.contextmanager
def reading(endpoint: Endpoint) -> Iterator[None]:
    """Translate errors of reading a server's response.

    An `AttributeError` of our own objects, or text that can't be encoded, is not the server's
    fault and is raised unchanged.

    Raises:
        ServiceError: the response is not in the API's form.
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


def failed_response(error: object, model: str, endpoint: Endpoint) -> GptasstError:
    """The error for a response that failed after it was accepted.

    Args:
        error: the server's: an object, text, or nothing.
        model: that was asked for.
        endpoint: the server.
    """
    body = error if isinstance(error, dict) else {}
    kind = body.get("type")
    code = body.get("code") or (None if kind == "error" else kind)  # the event's own type
    code = code if isinstance(code, str) else None
    message = masked(words_in(error) or "no reason given", endpoint)
    if code == "rate_limit_exceeded" or is_used_up(0, code, message):
        return _limit_reached(code, message, endpoint)
    if is_too_long(code, message):
        return _too_long(message, endpoint)
    found = filtered_for(code, body)
    if found:
        return _filtered(found, endpoint)
    if is_expired(message):
        return _expired(message, endpoint)
    # OGX asks for the model only then.
    if "model" in message.lower() and is_about_model(404, code, message, model):
        return _no_model(model, endpoint)
    failed = NoAnswer(f"`{model}` failed: {message}", hint="run it again", code="failed")
    failed.transient = code == "server_error"
    return failed


def translate_error(error: RequestFailure, endpoint: Endpoint, model: str | None) -> GptasstError:
    """The error that users see for a failed request, with keys masked."""
    mask_error(error, endpoint)
    if isinstance(error, OverLimit):
        return ServiceError(f"{endpoint.name} {error.said}", hint=error.hint, code=error.code)
    if isinstance(error, TimedOut):
        return _timed_out(error, endpoint)
    if isinstance(error, ConnectionFailure):
        return _unreachable(error, endpoint)
    if isinstance(error, StatusFailure):
        return _status_error(error, endpoint, model)
    return ServiceError(str(error))


def _timed_out(error: TimedOut, endpoint: Endpoint) -> ServiceError:
    seconds = error.seconds or endpoint.silence
    what = "took no connection" if error.connecting else "said nothing"
    return ServiceError(
        f"{endpoint.name} did not answer in time: it {what} for {seconds:g} s",
        hint="try again later; `timeout` in its profile, or GPTASST_TIMEOUT, allows more",
        code="timeout",
    )


def _unreachable(error: ConnectionFailure, endpoint: Endpoint) -> GptasstError:
    cause: BaseException | None = error
    reason = str(error)
    while cause is not None and not reason:
        cause = cause.__cause__
        reason = str(cause or "")
    reason = " ".join(masked(reason, endpoint).split())[:_LONGEST_REASON]
    reason = reason or type(error.__cause__ or error).__name__
    if error.of_proxy:
        if reason.startswith("407"):
            return login_wanted(f": {reason}", endpoint)
        reason = f"the proxy between answered `{reason}`"
    return ServiceError(
        f"{endpoint.name} can't be reached: {reason}",
        hint=_connection_hint(reason, endpoint),
        code="unreachable",
    )


def _connection_hint(reason: str, endpoint: Endpoint) -> str:
    if "CERTIFICATE" in reason.upper():
        return "SSL_CERT_FILE names the certificates of an authority of your own"
    if endpoint.embedded:
        return "its process may have ended; the same command starts it again"
    between = proxy_between(endpoint)
    if between:
        return f"{between} is set: is that proxy running? NO_PROXY goes past it"
    return "is a server running there, and is the base URL right?"


def _status_error(error: StatusFailure, endpoint: Endpoint, model: str | None) -> GptasstError:
    status, code = error.status_code, code_of(error)
    message = masked(message_of(error), endpoint)
    if is_no_access(status, code):
        return _no_access(error, endpoint)
    if status == 429 or is_used_up(status, code, message):
        return _limit_reached(code, message, endpoint, status, retry_after(error.response.headers))
    if status in (400, 422, 500, 501):
        not_taken = _input_not_taken(message, endpoint)
        if not_taken:
            return not_taken
    if status in (400, 413, 422) or is_too_long(code, message) or is_expired(message):
        refused = _refused_input(error, endpoint)
        if refused:
            return refused
    if model and is_about_model(status, code, message, model):
        return _no_model(model, endpoint)
    return _no_endpoint(error, message, endpoint) or _failed(error, message, endpoint)


def _no_endpoint(error: StatusFailure, message: str, endpoint: Endpoint) -> ServiceError | None:
    part = missing_part(error)
    if part:
        keep = f'`store = "local"` in {endpoint.table} keeps assistants on this machine'
        if endpoint.local_store:
            create = cmd("assistant create NAME -i INSTRUCTION -f FILE...")
            keep = f"{create} takes files without uploading them"
        if part == "embeddings":
            keep = (
                f'`embedding_model = "embedded"` in {endpoint.table} uses a model on this machine;'
                " without `embedding_model`, knowledge is searched by its words"
            )
        if part == "batches":
            keep = "`run --each` without `--batch` asks for many files at a time"
        code: Code = "no_embeddings" if part == "embeddings" else "no_endpoint"
        return ServiceError(f"{endpoint.name} has no {part}", hint=keep, code=code)
    if error.status_code == 404:
        right = "is the base URL right, and does the server speak the Responses API?"
        between = proxy_between(endpoint)
        return ServiceError(
            f"{endpoint.name} has nothing at {error.path}: {message}",
            hint=f"{between} is set, and that proxy may have answered; {right}"
            if between
            else right,
            code="no_endpoint",
        )
    return None


def _failed(error: StatusFailure, message: str, endpoint: Endpoint) -> ServiceError:
    if 300 <= error.status_code < 400:
        return _redirected(error, endpoint)
    if error.status_code < 500:
        hint = None
        if "prompt_cache" in message:
            place = endpoint.table or "its profile"
            hint = f'`prompt_cache = "off"` in {place}, or GPTASST_PROMPT_CACHE=off, leaves it out'
        refused = f"{endpoint.name} refused the request: {message}"
        return ServiceError(refused, hint=hint, code="bad_request")
    return ServiceError(f"{endpoint.name} failed: {message}", hint="try again later")


def _redirected(error: StatusFailure, endpoint: Endpoint) -> ServiceError:
    """The error for a redirect: content and keys only go to the server that was configured."""
    location = error.response.headers.get("location", "")
    target = "elsewhere"
    with contextlib.suppress(ValueError):  # it is no URL
        if location:
            target = masked(shown_url(urljoin(error.url, location)), endpoint)
    return ServiceError(
        f"{endpoint.name} redirects to {target}; gptasst does not follow redirects",
        hint="if that is the right server, set `base_url` to its address",
        code="redirected",
    )


def _no_model(model: str, endpoint: Endpoint) -> NotFound:
    return NotFound(
        f"{endpoint.name} has no model `{model}`",
        hint=f"-m MODEL names another; {cmd('model list')} shows what there is",
        code="model_not_found",
    )


def _no_access(error: StatusFailure, endpoint: Endpoint) -> AccessDenied:
    words = words_of(error)
    said = f": {masked(words, endpoint)}" if words else ""
    if error.status_code == 407:
        return login_wanted(said, endpoint)
    if error.status_code == 403:
        hint = f"{cmd('doctor')} shows which permissions the key lacks"
        between = proxy_between(endpoint) if is_plain(error) else None
        if between:
            hint = f"{between} is set, and that proxy may have answered; {hint}"
        refused = f"{endpoint.name}{said or ': HTTP 403'}"
        return AccessDenied(refused, hint=hint, code="no_permission")
    if has_login(endpoint.base_url):
        refused = f"{endpoint.name} does not accept the user and password of its URL{said}"
        return AccessDenied(refused, hint=endpoint.key_hint, code="wrong_key")
    # A gateway in front of the server may miss something else, such as a header.
    if endpoint.api_key is None and not endpoint.key_headers:
        wants = f"{endpoint.name} wants a key{said}"
        return AccessDenied(wants, hint=endpoint.key_hint, code="no_key")
    inside = "" if endpoint.api_key else f" in the header `{endpoint.key_headers[0]}`"
    refused = f"{endpoint.name} does not accept the key{inside}{said}"
    return AccessDenied(refused, hint=endpoint.key_hint, code="wrong_key")


def _limit_reached(
    code: str | None,
    message: str,
    endpoint: Endpoint,
    status: int = 429,
    wait: float | None = None,
) -> LimitReached:
    if is_used_up(status, code, message):
        return LimitReached(
            f"{endpoint.name}: the quota is used up: {message}",
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


def _input_not_taken(message: str, endpoint: Endpoint) -> GptasstError | None:
    """The error for a kind of input that the server or its model does not take."""
    if _NO_DOCUMENTS.search(message.lower()):
        what, key = "documents", "input_file"
    elif _NO_IMAGES.search(message.lower()):
        what, key = "images", "input_image"
    else:
        return None
    return InvalidInput(
        f"{endpoint.name} takes no {what}: {message}",
        hint=f"leave them out, or use a model that takes them; with `{key} = false` in"
        f" {endpoint.table}, they are refused before anything is sent",
        code="input_not_taken",
    )


def _refused_input(error: StatusFailure, endpoint: Endpoint) -> GptasstError | None:
    """The error for an input that the server does not accept; `None` for other errors."""
    message = masked(message_of(error), endpoint)
    if is_too_long(code_of(error), message):
        return _too_long(message, endpoint)
    if error.status_code == 413:
        words = words_of(error)
        said = f": {masked(words, endpoint)}" if words else ""
        return InvalidInput(
            f"the request is larger than {endpoint.name} takes{said}",
            hint="send less",
            code="too_large",
        )
    found = filtered_for(code_of(error), error.body)
    if found:
        return _filtered(found, endpoint)
    return _expired(message, endpoint) if is_expired(message) else None


def _filtered(found: str, endpoint: Endpoint) -> NoAnswer:
    refused = f"the content filter of {endpoint.name} refused the input: {masked(found, endpoint)}"
    return NoAnswer(refused, code="refused")


def _expired(message: str, endpoint: Endpoint) -> ServiceError:
    ident = _STORE_ID.search(message)
    export = f"{cmd(f'assistant export {ident[0]}')} prints its definition: " if ident else ""
    return ServiceError(
        f"{endpoint.name}: {message}",
        hint=f"{export}create the assistant again with its files, and delete this one",
        code="expired",
    )


def _too_long(message: str, endpoint: Endpoint) -> InvalidInput:
    return InvalidInput(
        f"the input is too long for the model: {message}",
        hint=more_context(endpoint),
        code="too_long",
    )


def more_context(endpoint: Endpoint) -> str:
    """The hint for a context that is too small."""
    if endpoint.embedded:
        return "send less at a time, or raise `context` in [local] of config.toml"
    return "send less at a time, or use a model with a larger context"
