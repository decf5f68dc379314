"""The tools of a server that a run needs: refused where it lacks them, noted where ignored."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from gptasst.api.tools import TOOL_TYPES, ToolRefused, article, hosted_tools
from gptasst.api.types import Capability, ModelAnswer, ModelRequest
from gptasst.assistants.types import Resolved
from gptasst.config.profile import Profile
from gptasst.errors import UsageError
from gptasst.hints import cmd
from gptasst.models.capabilities import EndpointCapabilities

_FUNCTIONS: Capability = "function tools"


class RunTools:
    """Looks after the tools of runs on one endpoint.

    Args:
        profile: the endpoint.
        capabilities: tells what the server has; the embedded model has no tools.
    """

    def __init__(self, profile: Profile, capabilities: EndpointCapabilities | None) -> None:
        self._profile = profile
        self._capabilities = capabilities

    def refuse_lacking(
        self, name: str, request: ModelRequest, resolved: Resolved, *, ask: bool
    ) -> None:
        """Refuse, before it is sent, what needs a tool that the endpoint does not have.

        Args:
            name: what was asked for, as it was typed.
            request: what would be sent.
            resolved: the definition.
            ask: the server may be asked.

        Raises:
            UsageError: it lacks a tool.
        """
        wanted = hosted_tools(request)
        if self._capabilities is None:
            lacking: Iterable[Capability] = wanted
        else:
            lacking = self._capabilities.lacks(wanted, ask=ask)
        for tool in lacking:
            message = f"{self._profile.endpoint} does not have {article(tool)}, which `{name}` uses"
            raise UsageError(
                message, hint=_way_out(name, resolved, tool), code="tool_not_available"
            )

    def refused(self, error: ToolRefused, name: str, resolved: Resolved) -> UsageError:
        """The error where the server refused a tool; it is remembered."""
        if self._capabilities is not None:
            self._capabilities.learn({error.tool: False})
        hint = _way_out(name, resolved, error.tool)
        return UsageError(error.message, hint=hint, code=error.code)

    def take_functions(self) -> bool:
        """Whether functions may be offered: the server is not known to refuse them."""
        return self._capabilities is None or not self._capabilities.lacks([_FUNCTIONS], ask=False)

    def functions_refused(self) -> None:
        """Remember that the server refuses functions."""
        if self._capabilities is not None:
            self._capabilities.learn({_FUNCTIONS: False})

    def notes(self, received: ModelAnswer) -> Iterator[str]:
        """What to say of tools that an answer shows no trace of; what it shows is remembered."""
        if self._capabilities is not None:
            self._capabilities.learn(received.tools)
        server = self._profile.endpoint
        for tool, there in received.tools.items():
            if there is False:
                yield f"{server} does not have {article(tool)}: it was ignored"
            elif there is None and self._capabilities and not self._capabilities.is_known(tool):
                yield f"{server} shows no sign of {article(tool)}: it may have ignored it"


def _way_out(name: str, resolved: Resolved, tool: Capability) -> str:
    key = TOOL_TYPES[tool]
    if resolved.assistant is not None:
        off = f"assistant edit {shlex.quote(name)} --no-{key.replace('_', '-')}"
        return f"{cmd(off)} turns it off"
    edit = cmd(f"instruction edit {shlex.quote(name)}")
    return f"take `{key}` out of its [tools] with {edit}, or use a profile whose server has it"
