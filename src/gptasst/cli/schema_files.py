"""`--schema FILE`: a JSON Schema from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gptasst.errors import InvalidInput


def read_schema(path: Path) -> dict[str, Any]:
    """Read and check a JSON Schema.

    Raises:
        InvalidInput: it can't be read, is not JSON, or is not a schema.
    """
    from gptasst.json_schemas import check_schema, parse_schema

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
