"""Requests held to OpenAI's published OpenAPI document, where it is at hand.

    assert_valid_request(server.requests[-1])

It is looked for in `GPTASST_OPENAPI`, else beside the repository; without it the test is skipped.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.loopback import RequestRecord

_BESIDE = Path(__file__).parents[2] / "shared" / "spec" / "openai-2.3.0.json"
_PLACE = Path(os.environ.get("GPTASST_OPENAPI") or _BESIDE)  # now: tests clear the environment
_NAME = "urn:openai"


def assert_valid_request(record: RequestRecord) -> None:
    """Fail unless the document has this method and path, its query and its JSON body.

    Keys of the body that the document does not name fail as well, though it leaves it open.
    """
    path, operation = _operation(record)
    known = {p.get("name") for p in map(_followed, operation.get("parameters", ()))}
    assert set(record.query) <= known, f"{path} takes no {set(record.query) - known}"
    body = operation.get("requestBody")
    content = _followed(body)["content"] if body else {}
    if record.headers.get("content-type", "").startswith("multipart/"):
        assert "multipart/form-data" in content, f"{path} takes no form"
    elif record.body_size or (body and body.get("required")):
        assert "application/json" in content, f"{record.method} {path} takes no JSON"
        _assert_fits(record.json, content["application/json"]["schema"])


def _assert_fits(value: Any, schema: dict[str, Any]) -> None:
    validator = Draft202012Validator(_absolute(schema), registry=_registry())
    problems = [f"{e.json_path}: {_deepest(e)}" for e in validator.iter_errors(value)]
    assert not problems, "\n".join(problems)
    named = _property_names(schema)
    assert not named or set(value) <= named, f"unknown: {set(value) - named}"


def _property_names(schema: dict[str, Any]) -> set[str]:
    schema = _followed(schema)
    names = set(schema.get("properties", ()))
    return names.union(*(_property_names(part) for part in schema.get("allOf", ())))


def _deepest(error: Any) -> str:
    """What is wrong in the alternative that comes nearest: the one that got furthest."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return f"{error.json_path}: {error.message}"[:400]


def _operation(record: RequestRecord) -> tuple[str, dict[str, Any]]:
    called = record.path.removeprefix("/v1")
    paths = sorted(_document()["paths"], key=lambda path: path.count("{"))
    for path in paths:
        if re.fullmatch(re.sub(r"\\?\{[^}]*\}", "[^/]+", re.escape(path)), called):
            operation = _document()["paths"][path].get(record.method.lower())
            if operation:
                return path, operation
    raise AssertionError(f"the API has no {record.method} {called}")


def _followed(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = _document()
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def _absolute(schema: Any) -> Any:
    """A schema out of the document, to be used outside of it."""
    if isinstance(schema, dict):
        return {
            key: _NAME + value if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


@cache
def _registry() -> Registry[Any]:
    resource: Resource[Any] = DRAFT202012.create_resource(_closed(_document()))
    registry: Registry[Any] = Registry().with_resource(_NAME, resource)
    return registry


def _closed(value: Any) -> Any:
    """The document as a validator can use it.

    `nullable` is of an older draft, and its `oneOf` mean `anyOf`: a plain message is both of the
    two kinds of message that it has.
    """
    if isinstance(value, list):
        return [_closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    closed = {("anyOf" if k == "oneOf" else k): _closed(item) for k, item in value.items()}
    if closed.pop("nullable", None) is True:
        return {"anyOf": [closed, {"type": "null"}]}
    return closed


@cache
def _document() -> dict[str, Any]:
    if not _PLACE.is_file():
        pytest.skip(f"OpenAI's OpenAPI document is not at hand ({_PLACE.name})")
    document: dict[str, Any] = json.loads(_PLACE.read_text("utf-8"))
    return document
