"""The keys of a definition for tools."""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import urlsplit

from gptasst.config.toml import TomlDocument
from gptasst.definitions.types import CodeSettings, McpServer, SearchSettings, Tools, WebSettings

_SEARCH_KEYS = ("max_results", "score_threshold", "filters", "text_weight")

_TABLE = ("tools", "file_search")

MOST_RESULTS = 50


_TOOLS = ("file_search", "code_interpreter", "web_search", "mcp")


def read_tools(document: TomlDocument) -> Tools:
    """The tools and their settings.

    Raises:
        InvalidDefinition: a key is wrong.
    """
    document.only_keys(("tools",), _TOOLS)
    file_search, search = _read_file_search(document)
    web_search = _switch(document, "web_search", ("allowed_domains", "context_size", "location"))
    code = _switch(document, "code_interpreter", ("memory", "network"))
    return Tools(
        file_search=file_search,
        code_interpreter=code,
        web_search=web_search,
        search=search,
        web=_web_settings(document),
        code=_code_settings(document),
        mcp=_mcp_servers(document),
    )


def _switch(document: TomlDocument, tool: str, keys: tuple[str, ...]) -> bool:
    """Whether a tool is enabled; a table enables it."""
    given = document.table("tools").get(tool)
    if isinstance(given, dict):
        document.only_keys(("tools", tool), keys)
        return True
    if given is not None and not isinstance(given, bool):
        raise document.error(("tools", tool), f"key `tools.{tool}` must be true, false or a table")
    return bool(given)


def _table_of(document: TomlDocument, tool: str) -> bool:
    return isinstance(document.table("tools").get(tool), dict)


_PLACE = ("country", "region", "city", "timezone")
# As they are in a URL, without a scheme and a path.
_DOMAIN = re.compile(r"(?!-)[\w-]+(\.[\w-]+)+")


def _web_settings(document: TomlDocument) -> WebSettings:
    if not _table_of(document, "web_search"):
        return WebSettings()
    path = ("tools", "web_search")
    document.only_keys((*path, "location"), _PLACE)
    domains = document.texts(*path, "allowed_domains")
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise document.error(
                (*path, "allowed_domains"),
                f"key `tools.web_search.allowed_domains` has `{domain}`, which is no domain",
                hint='as in ["example.com"], which has its subdomains in it',
            )
    place = {key: document.text_value(*path, "location", key) for key in _PLACE}
    country = place["country"]
    if country is not None and not re.fullmatch("[A-Z]{2}", country):
        raise document.error(
            (*path, "location", "country"),
            f"key `tools.web_search.location.country` is `{country}`, no code of a country",
            hint="two letters, as in `DE`",
        )
    size = document.choice(("low", "medium", "high"), *path, "context_size")
    return WebSettings(allowed_domains=domains, context_size=cast("Any", size), **place)


def _code_settings(document: TomlDocument) -> CodeSettings:
    if not _table_of(document, "code_interpreter"):
        return CodeSettings()
    path = ("tools", "code_interpreter")
    memory = document.choice(("1g", "4g", "16g", "64g"), *path, "memory")
    return CodeSettings(cast("Any", memory), document.value(bool, *path, "network"))


_MCP_KEYS = ("label", "url", "description", "allowed_tools", "approval", "key_env")
_LABEL = re.compile(r"[A-Za-z][\w-]{0,63}", re.ASCII)
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _mcp_servers(document: TomlDocument) -> tuple[McpServer, ...]:
    tables = document.table("tools").get("mcp", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise document.error(("tools", "mcp"), "`tools.mcp` must be a list", hint="[[tools.mcp]]")
    servers = tuple(_mcp_server(document, table) for table in tables)
    labels = [server.label for server in servers]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise document.error(("tools", "mcp"), f"two of [[tools.mcp]] have the label `{twice}`")
    return servers


def _mcp_server(document: TomlDocument, table: dict[str, Any]) -> McpServer:
    """One MCP server. Errors name the line of the first one that has the key."""
    for key, value in table.items():
        problem, hint = _mcp_problem(key, value)
        if problem:
            raise document.error(
                ("tools", "mcp", key), f"key `{key}` in [[tools.mcp]] {problem}", hint=hint
            )
    missing = next((key for key in ("label", "url") if key not in table), None)
    if missing:
        raise document.error(("tools", "mcp"), f"[[tools.mcp]] has no `{missing}`")
    return McpServer(**{**table, "allowed_tools": tuple(table.get("allowed_tools", ()))})


def _mcp_problem(key: str, value: object) -> tuple[str | None, str | None]:
    """What is wrong with the value of a key, if anything, and what helps."""
    problem, hint = None, None
    if key not in _MCP_KEYS:
        problem, hint = "is unknown", f"known: {', '.join(_MCP_KEYS)}"
    elif key == "allowed_tools":
        if not isinstance(value, list) or not all(isinstance(t, str) and t for t in value):
            problem = "must be a list of strings"
        elif not value:  # a server takes none for all
            problem, hint = "is empty", "leave it out to allow all tools of the server"
    elif not isinstance(value, str) or not value.strip():
        problem = "must be a string that is not empty"
    elif key == "label" and not _LABEL.fullmatch(value):
        problem, hint = f"is `{value}`", "letters, digits, `_` and `-`, a letter first"
    elif key == "url":
        problem, hint = _url_problem(value), 'as in "https://mcp.example.com/mcp"'
    elif key == "approval" and value not in ("never", "always"):
        problem, hint = f"is `{value}`", "one of: never, always"
    elif key == "key_env" and not VARIABLE_NAME.fullmatch(value):
        problem = "is not the name of an environment variable"
        hint = "a definition never holds a key: put it into a variable, and its name here"
    return problem, hint


_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("https", "http") or not host:
        return "is no URL"
    if parts.username or parts.password:
        return "has a password in it, which a definition must not hold"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "begins with http, over which a key could be read"
    return None


def written_tools(tools: Tools) -> dict[str, Any]:
    """The table `[tools]`, without defaults."""
    place = {key: value for key in _PLACE if (value := getattr(tools.web, key)) is not None}
    web = {
        "allowed_domains": list(tools.web.allowed_domains) or None,
        "context_size": tools.web.context_size,
        "location": place or None,
    }
    code = {"memory": tools.code.memory, "network": tools.code.network}
    return _present(
        {
            "file_search": written_file_search(tools),
            "code_interpreter": (tools.code_interpreter and (_present(code) or True)) or None,
            "web_search": (tools.web_search and (_present(web) or True)) or None,
            "mcp": [_written_server(server) for server in tools.mcp] or None,
        }
    )


def _written_server(server: McpServer) -> dict[str, Any]:
    table = {
        "label": server.label,
        "url": server.url,
        "description": server.description or None,
        "allowed_tools": list(server.allowed_tools) or None,
        "approval": server.approval,
        "key_env": server.key_env,
    }
    return _present(table)


def _present(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _read_file_search(document: TomlDocument) -> tuple[bool | None, SearchSettings]:
    """Whether to search knowledge (`None`: if there is any), and the settings.

    Raises:
        InvalidDefinition: a key is wrong.
    """
    given = document.table("tools").get("file_search")
    if not isinstance(given, dict):
        if given is not None and not isinstance(given, bool):
            raise document.error(_TABLE, "key `tools.file_search` must be true, false or a table")
        return given, SearchSettings()
    document.only_keys(_TABLE, _SEARCH_KEYS)
    if "filters" in given and not document.texts(*_TABLE, "filters"):
        raise document.error((*_TABLE, "filters"), "key `tools.file_search.filters` is empty")
    return True, SearchSettings(
        max_results=document.number(int, 1, MOST_RESULTS, *_TABLE, "max_results"),
        score_threshold=document.number(float, 0.0, 1.0, *_TABLE, "score_threshold"),
        filters=document.texts(*_TABLE, "filters"),
        text_weight=document.number(float, 0.0, 1.0, *_TABLE, "text_weight"),
    )


def written_file_search(tools: Tools) -> bool | dict[str, Any] | None:
    """The value of the key; settings of a disabled search are not written."""
    settings = tools.search
    if not tools.file_search or settings == SearchSettings():
        return tools.file_search
    values = {key: getattr(settings, key) for key in _SEARCH_KEYS}
    table = {key: value for key, value in values.items() if value is not None}
    if table.pop("filters"):
        table["filters"] = list(settings.filters)
    return table
