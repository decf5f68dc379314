"""JSON Schemas for answers, from a definition or a separate file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gptasst.errors import InvalidInput, NoAnswer

if TYPE_CHECKING:
    from gptasst.inputs.screening import Screening

_TOO_DEEP = "is nested too deeply"


def parse_schema(text: str) -> dict[str, Any]:
    """Parse a JSON Schema; `check_schema` validates it.

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
    """Validate a schema. Slow to import: only for schemas that are about to be used.

    Raises:
        ValueError: it is not a valid schema; the message completes a sentence.
    """
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is not a JSON Schema: {error.json_path}: {error.message}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def read_schema(path: Path, screening: Screening) -> dict[str, Any]:
    """Read and validate a JSON Schema.

    Raises:
        InvalidInput: it can't be read, is not JSON, is not a schema, or looks secret.
    """
    screening.refuse_file(path)  # any JSON object is a valid schema
    try:
        schema = parse_schema(path.read_text("utf-8-sig"))
        check_schema(schema)
    except OSError as error:
        raise InvalidInput(f"schema `{path}` can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"schema `{path}` is not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise InvalidInput(f"schema `{path}` {error}") from None
    return schema


def check_answer(answer: str, schema: object) -> None:
    """Validate the answer against its schema, which servers may ignore."""
    from jsonschema import ValidationError, validate
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    nothing_fetched: Registry[object] = Registry()  # jsonschema's default would access the network
    try:
        validate(json.loads(answer), schema, registry=nothing_fetched)  # type: ignore[arg-type]
    except ValueError as error:
        reason = f"it is not JSON: {error}"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValidationError as error:
        reason = f"{error.json_path}: {error.message}"
    except Unresolvable as error:
        raise InvalidInput(
            f"the schema refers to `{error.ref}`, which is not in it", code="bad_schema"
        ) from None
    else:
        return
    raise NoAnswer(
        f"the answer does not match the schema: {reason}",
        hint="run it again, or use a model that follows schemas",
        code="schema_mismatch",
    )
