"""Holding answers to JSON Schemas."""

from __future__ import annotations

import json

from gptasst.errors import InvalidInput, NoAnswer


def check_schema(answer: str, schema: object) -> None:
    """Hold the answer to its schema: servers may ignore the one they are sent."""
    from jsonschema import ValidationError, validate
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    nothing_fetched: Registry[object] = Registry()  # jsonschema's own asks the network
    try:
        validate(json.loads(answer), schema, registry=nothing_fetched)  # type: ignore[arg-type]
    except ValueError as error:
        reason = f"it is not JSON: {error}"
    except ValidationError as error:
        reason = f"{error.json_path}: {error.message}"
    except Unresolvable as error:
        raise InvalidInput(
            f"the schema refers to `{error.ref}`, which is not in it", code="bad_schema"
        ) from None
    else:
        return
    raise NoAnswer(
        f"the answer does not fit the schema: {reason}",
        hint="run it again, or use a model that follows schemas",
        code="schema_mismatch",
    )
