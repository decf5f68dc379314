"""JSON Schemas that answers must fit, as text from a definition or a file of their own."""

from __future__ import annotations

import json
from typing import Any

_TOO_DEEP = "is nested too deeply"


def parse_schema(text: str) -> dict[str, Any]:
    """Read a JSON Schema; whether it is one, `check_schema` says.

    Raises:
        ValueError: it is not JSON, or not an object; the message completes a sentence.
    """
    try:
        schema = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ValueError("must hold a JSON object")  # noqa: TRY004  # one kind of failure
    return schema


def check_schema(schema: dict[str, Any]) -> None:
    """Hold a schema to JSON Schema's own. Slow to import: for schemas that are about to be used.

    Raises:
        ValueError: it is not a JSON Schema; the message completes a sentence.
    """
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is not a JSON Schema: {error.json_path}: {error.message}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
