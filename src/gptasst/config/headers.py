"""The headers that a profile sends besides the SDK's: plain ones, and those that hold a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gptasst.config.toml import TomlDocument
from gptasst.errors import AccessDenied

if TYPE_CHECKING:
    from gptasst.config.keys import StoredKeys

HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers by name.

    `values` is what is sent. `sources` has, for each header that holds a secret, the variable or
    the file where it comes from. `missing` has those without a value, and the variable that should
    hold it.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def secret(self) -> Mapping[str, str]:
        """The values of those that hold a secret."""
        return {name: self.values[name] for name in self.sources}


def read_headers(
    document: TomlDocument,
    table: tuple[str, ...],
    environ: Mapping[str, str],
    keys: StoredKeys | None,
    base_url: str | None,
    *,
    with_variables: bool,
) -> Headers:
    """The headers of a profile.

    Args:
        document: config.toml.
        table: where the profile is in it.
        environ: the environment variables.
        keys: what `auth login --header` keeps.
        base_url: the server; `None` is the embedded model, which gets none.
        with_variables: the server is the one in config.toml, for which `header_env` is meant.

    Raises:
        InvalidDefinition: a header can't be sent, or is given twice.
        AccessDenied: a variable holds what no header can hold.
    """
    if base_url is None:
        return Headers()
    values = _plain(document, table)
    variables = _variables(document, table, values) if with_variables else {}
    sources: dict[str, str] = {}
    kept = {name.lower(): name for name in (keys.headers(base_url) if keys else ())}
    for name, variable in variables.items():
        value = environ.get(variable, "").strip()
        if value:
            _check_value(name, variable, value)
            values[name], sources[name] = value, variable
            kept.pop(name.lower(), None)
    for name in kept.values():
        values = {k: v for k, v in values.items() if k.lower() != name.lower()}
        assert keys is not None
        values[name] = keys.get(base_url, name) or ""
        sources[name] = keys.source(base_url, name) or ""
    there = {name.lower() for name in sources}
    missing = {n: variable for n, variable in variables.items() if n.lower() not in there}
    return Headers(values, sources, missing)


def _plain(document: TomlDocument, table: tuple[str, ...]) -> dict[str, str]:
    headers = document.table(*table, "headers")
    found = {key: document.value(str, *table, "headers", key) or "" for key in headers}
    for key, value in found.items():
        if not (re.fullmatch(HEADER_NAME, key) and value.isascii() and value.isprintable()):
            raise document.error(
                (*table, "headers", key), "this header holds what no header can hold"
            )
    return found


def _variables(
    document: TomlDocument, table: tuple[str, ...], plain: Mapping[str, str]
) -> dict[str, str]:
    """The variable of each header that `header_env` names."""
    found: dict[str, str] = {}
    names = {name.lower() for name in plain}
    for name in document.table(*table, "header_env"):
        path = (*table, "header_env", name)
        variable = document.text_value(*path) or ""
        if not re.fullmatch(HEADER_NAME, name):
            raise document.error(path, f"`{name}` is not the name of a header")
        if not variable.isidentifier():
            raise document.error(
                path,
                f"`header_env.{name}` is not the name of a variable",
                hint='it looks like header_env = { "api-key" = "AZURE_KEY" }',
            )
        if name.lower() in names:
            raise document.error(path, f"the header `{name}` is given twice")
        names.add(name.lower())
        found[name] = variable
    return found


def _check_value(name: str, variable: str, value: str) -> None:
    if not (value.isascii() and value.isprintable()):
        raise AccessDenied(
            f"`{variable}` holds characters that the header `{name}` can't have",
            hint="copy the value again",
            code="wrong_key",
            variable=variable,
        )
