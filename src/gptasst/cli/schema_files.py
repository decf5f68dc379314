"""`--schema FILE`: a JSON Schema from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gptasst.errors import InvalidInput


def read_schema(path: Path, *, allow_secrets: bool) -> dict[str, Any]:
    """Read and check a JSON Schema.

    Raises:
        InvalidInput: it can't be read, is not JSON, is not a schema, or counts as secret.
    """
    from gptasst.definitions.schemas import check_schema, parse_schema
    from gptasst.inputs.secrets import refuse_secret

    if not allow_secrets:  # any JSON object passes for a schema
        refuse_secret(path)
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
