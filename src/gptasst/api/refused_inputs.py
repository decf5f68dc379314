"""Errors for inputs that a server refuses: too long, filtered, or of a kind that it lacks."""

from __future__ import annotations

import re

from gptasst.api.failures import (
    StatusFailure,
    code_of,
    filtered_for,
    is_expired,
    is_too_long,
    message_of,
    words_of,
)
from gptasst.api.masking import masked
from gptasst.api.types import Endpoint
from gptasst.errors import GptasstError, InvalidInput, NoAnswer, ServiceError
from gptasst.hints import cmd

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
_STORE_ID = re.compile(r"\bvs_\w+")


def input_not_taken(message: str, endpoint: Endpoint) -> GptasstError | None:
    """The error for a kind of input that the server or its model does not take."""
    if _NO_DOCUMENTS.search(message.lower()):
        what, key = "documents", "input_file"
    elif _NO_IMAGES.search(message.lower()):
        what, key = "images", "input_image"
    else:
        return None
    return InvalidInput(
        f"{endpoint.name} takes no {what}: {message}",
        hint=f"leave them out, or use a model that takes them; `{key} = false` in"
        f" {endpoint.table} has it said before anything is sent",
        code="input_not_taken",
    )


def refused_input(error: StatusFailure, endpoint: Endpoint) -> GptasstError | None:
    """The error for an input that the server does not accept; `None` for other errors."""
    message = masked(message_of(error), endpoint)
    if is_too_long(code_of(error), message):
        return too_long(message, endpoint)
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
        return filtered(found, endpoint)
    return expired(message, endpoint) if is_expired(message) else None


def filtered(found: str, endpoint: Endpoint) -> NoAnswer:
    refused = f"the content filter of {endpoint.name} refused the input: {masked(found, endpoint)}"
    return NoAnswer(refused, code="refused")


def expired(message: str, endpoint: Endpoint) -> ServiceError:
    ident = _STORE_ID.search(message)
    export = f"{cmd(f'assistant export {ident[0]}')} prints its definition: " if ident else ""
    return ServiceError(
        f"{endpoint.name}: {message}",
        hint=f"{export}create the assistant again with its files, and delete this one",
        code="expired",
    )


def too_long(message: str, endpoint: Endpoint) -> InvalidInput:
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
