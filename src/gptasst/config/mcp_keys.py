"""Which environment variables hold the keys of MCP servers, and which server may get each.

Definitions name the server and the variable, and they come from others: from a repository, or from
whoever shares a project. So the user says here, once, which host a variable is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from gptasst.config.known_keys import MCP_KEYS
from gptasst.config.toml import TomlDocument
from gptasst.errors import UsageError
from gptasst.hints import cmd

_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-f:]+\](:\d+)?")


class McpKeys:
    """The table `[mcp_keys]` of `config.toml`, and the variables that it names.

    Args:
        document: `config.toml`.
        environ: the environment variables.
    """

    def __init__(self, document: TomlDocument, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ

    def hosts(self) -> Mapping[str, str]:
        """The variables with keys, each with the host that may get it, and its port if any.

        Raises:
            InvalidDefinition: a value is not the name of a host.
        """
        found: dict[str, str] = {}
        for variable in self._document.table(MCP_KEYS):
            host = (self._document.text_value(MCP_KEYS, variable) or "").lower()
            if not _HOST.fullmatch(host):
                raise self._document.error(
                    (MCP_KEYS, variable),
                    f"key `{MCP_KEYS}.{variable}` is not the name of a host",
                    hint=f'as in {MCP_KEYS}.{variable} = "mcp.example.com"',
                )
            found[variable] = host
        return found

    def key(self, label: str, url: str, variable: str) -> str:
        """The key of an MCP server that a definition names, if it may be sent there.

        Args:
            label: the server's name in the definition.
            url: the server.
            variable: what the definition names as holding the key.

        Raises:
            UsageError: the variable is not for that host, or is not set.
        """
        host = urlsplit(url).netloc.lower()
        if self.hosts().get(variable) != host:
            raise UsageError(
                f"the definition sends the variable {variable} to {host} (`mcp:{label}`),"
                " which is not allowed yet",
                hint=f"{cmd(f'config set {MCP_KEYS}.{variable} {host}')} allows it; do that only if"
                " the variable holds the key of that server",
                variable=variable,
                code="key_not_allowed",
            )
        key = self._environ.get(variable, "").strip()
        if not key:
            raise UsageError(
                f"the variable {variable} with the key of `mcp:{label}` is not set",
                hint=f"export {variable}=…",
                variable=variable,
                code="no_key",
            )
        return key
