"""How long an input is that a model does not take, by the server's own count."""

from __future__ import annotations

import contextlib
from typing import Any

from gptasst.api.connection import Connection
from gptasst.api.requests import patience
from gptasst.errors import GptasstError, InvalidInput

# What a count takes of a request.
_COUNTED = ("model", "instructions", "input", "conversation", "tools", "text", "reasoning")
_SECONDS = 30.0


def with_count(refused: InvalidInput, connection: Connection, body: dict[str, Any]) -> InvalidInput:
    """The refusal of an input that is too long, with its length where the server counts.

    How much a model takes, the API says nowhere: only its refusal does, which costs nothing.
    """
    counted = {name: body[name] for name in _COUNTED if name in body}
    with contextlib.suppress(GptasstError), connection.errors():
        count = connection.once.responses.input_tokens.count(
            extra_body=counted, timeout=patience(_SECONDS)
        )
        message = f"{refused.message} (it is {count.input_tokens:,} tokens)"
        return InvalidInput(message, hint=refused.hint, code=refused.code)
    return refused
