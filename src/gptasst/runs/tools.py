"""The tools of a run: the server's hosted tools, and gptasst's own knowledge search."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from gptasst.api.capabilities import PARAMETERS, Capability
from gptasst.api.masking import mask_error
from gptasst.api.tools import (
    SETTING_KEYS,
    TOOL_TYPES,
    ToolRefused,
    article,
    hosted_tools,
    lacks,
    sent_parameters,
)
from gptasst.api.types import (
    AnsweredCall,
    Endpoint,
    FunctionCall,
    FunctionTool,
    ModelAnswer,
    ModelRequest,
    TextDelta,
    TextPart,
    ToolApproval,
    Usage,
)
from gptasst.assistants.types import Resolved
from gptasst.config.profile import Profile
from gptasst.errors import GptasstError, NoAnswer, ServiceError, UsageError
from gptasst.hints import cmd
from gptasst.knowledge.types import Excerpt, FoundPassage
from gptasst.models.service import EndpointCapabilities
from gptasst.runs.inputs import tagged_excerpt
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.knowledge.question import Question


_FUNCTIONS: Capability = "function tools"


class RunTools:
    """Checks the tools of runs on one endpoint, and remembers what the server has.

    Args:
        profile: the endpoint.
        capabilities: the server's capabilities; the embedded model has no tools.
    """

    def __init__(self, profile: Profile, capabilities: EndpointCapabilities | None) -> None:
        self._profile = profile
        self._capabilities = capabilities

    def refuse_lacking(
        self, name: str, request: ModelRequest, resolved: Resolved, *, ask: bool
    ) -> None:
        """Raise, before anything is sent, if the endpoint lacks a tool.

        Args:
            name: the assistant's name, as typed.
            request: the request.
            resolved: the definition.
            ask: whether the server may be asked.

        Raises:
            UsageError: it lacks a tool.
        """
        wanted = hosted_tools(request)
        refused_before = self._refused_parameters(request)
        if self._capabilities is None:
            lacking: Iterable[Capability] = wanted
        else:
            lacking = self._capabilities.lacks(wanted, ask=ask)
        for tool in (*lacking, *refused_before):
            does = "sets" if tool in SETTING_KEYS else "uses"
            message = f"{self._profile.endpoint} {lacks(tool)}, which `{name}` {does}"
            raise UsageError(
                message, hint=_way_out(name, resolved, tool), code="tool_not_available"
            )

    def _refused_parameters(self, request: ModelRequest) -> Iterable[Capability]:
        """Settings that the server is known to refuse; one that ignores them can answer."""
        if self._capabilities is None:
            return ()
        return self._capabilities.lacks(sent_parameters(request), ask=False)

    def refused(self, error: ToolRefused, name: str, resolved: Resolved) -> UsageError:
        """The error for a tool that the server refused, which is remembered."""
        if self._capabilities is not None:
            self._capabilities.learn({error.tool: False})
        hint = _way_out(name, resolved, error.tool)
        return UsageError(error.message, hint=hint, code=error.code)

    def take_functions(self) -> bool:
        """Whether to offer functions: the server is not known to refuse them."""
        return self._capabilities is None or not self._capabilities.lacks([_FUNCTIONS], ask=False)

    def functions_refused(self) -> None:
        """Remember that the server refuses functions."""
        if self._capabilities is not None:
            self._capabilities.learn({_FUNCTIONS: False})

    def notes(self, received: ModelAnswer) -> Iterator[str]:
        """Notes about tools that an answer shows no trace of; remembers the others."""
        if self._capabilities is not None:
            # A setting that is ignored does no harm: only one that is refused is remembered.
            shown = {
                n: there for n, there in received.tools.items() if there or n not in PARAMETERS
            }
            self._capabilities.learn(shown)
        server = self._profile.endpoint
        for tool, there in received.tools.items():
            ignored = tool in PARAMETERS and not there and self._capabilities is None
            if there is False or ignored:
                yield f"{server} {lacks(tool)}: it was ignored"
            elif there is None and self._capabilities and not self._capabilities.is_known(tool):
                what = f"`{SETTING_KEYS[tool]}`" if tool in SETTING_KEYS else article(tool)
                yield f"{server} shows no sign of {what}: it may have ignored it"


def _way_out(name: str, resolved: Resolved, tool: Capability) -> str:
    other = "use a profile whose server has it"
    if tool in SETTING_KEYS or tool == "remote MCP":
        key, table = SETTING_KEYS.get(tool, "mcp"), "settings" if tool in SETTING_KEYS else "tools"
        if resolved.assistant is not None:
            return f"{other}, or import a definition without `{key}` in [{table}]"
        edit = cmd(f"instruction edit {shlex.quote(name)}")
        return f"take `{key}` out of its [{table}] with {edit}, or {other}"
    key = TOOL_TYPES[tool]
    if resolved.assistant is not None:
        off = f"assistant edit {shlex.quote(name)} --no-{key.replace('_', '-')}"
        return f"{cmd(off)} turns it off"
    edit = cmd(f"instruction edit {shlex.quote(name)}")
    return f"take `{key}` out of its [tools] with {edit}, or {other}"


MOST_SEARCHES = 6
_PASSAGES = 8  # for one search
_CHARACTERS = 8_000
_LONGEST_QUERY = 1_000
# Characters of a remark before a search; longer text is shown as it arrives.
_REMARK = 300
_LEAST_SECONDS = 1.0
_LONGEST_ARGUMENTS = 500  # shown of a call

SEARCH_KNOWLEDGE = FunctionTool(
    name="search_knowledge",
    description=(
        "Search the knowledge files of this assistant. Passages that match the words of the message"
        " are in it already, as <excerpt>. Search for what is missing there, in a few words that"
        " the files would use, in their language. Returns passages with their source."
    ),
    parameters={
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What to look for."}},
        "required": ["query"],
        "additionalProperties": False,
    },
)

Look = Callable[["Question", int], Sequence[FoundPassage]]
Stream = Callable[[ModelRequest], Iterator[TextDelta | ModelAnswer]]


@dataclass(slots=True)
class KnowledgeSearches:
    """The searches of one run: queries and results.

    Args:
        look: searches the knowledge.
        characters: the most characters of all results together.
    """

    look: Look
    characters: int
    queries: list[str] = field(default_factory=list)
    found: list[Excerpt] = field(default_factory=list)

    @property
    def are_over(self) -> bool:
        return len(self.queries) >= MOST_SEARCHES or self.characters <= 0

    def answer(self, call: FunctionCall) -> AnsweredCall:
        return AnsweredCall(call, self._output(call))

    def _output(self, call: FunctionCall) -> str:
        if call.name != SEARCH_KNOWLEDGE.name:
            return f"There is no function `{call.name}`."
        query = _query(call.arguments)
        if query is None:
            return 'Give the words to look for: {"query": "…"}.'
        if self.are_over:
            return "No more searches: answer with what you have."
        from gptasst.knowledge.question import Question

        self.queries.append(query)
        found = [Excerpt(f.path, f.place, f.text) for f in self.look(Question(query), _PASSAGES)]
        chosen = self._that_fit([excerpt for excerpt in found if excerpt not in self.found])
        if chosen:
            return "\n".join(map(tagged_excerpt, chosen))
        return "Nothing but what you got already." if found else "Nothing was found."

    def _that_fit(self, excerpts: Sequence[Excerpt]) -> list[Excerpt]:
        left = min(_CHARACTERS, self.characters)
        chosen = []
        for excerpt in excerpts:
            if len(excerpt.text) <= left:
                chosen.append(excerpt)
                left -= len(excerpt.text)
                self.characters -= len(excerpt.text)
        self.found += chosen
        return chosen


def _query(arguments: str) -> str | None:
    """The query of a model; small ones write plain words instead of JSON."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        given = arguments
    query = given.get("query") if isinstance(given, dict) else given
    if not isinstance(query, str) or not query.strip():
        return None
    return " ".join(query.split())[:_LONGEST_QUERY]


def answer_with_searches(
    stream: Stream, request: ModelRequest, searches: KnowledgeSearches
) -> Iterator[TextDelta | ModelAnswer]:
    """The answer to a request that offers `SEARCH_KNOWLEDGE`, in pieces, the whole last.

    If the server refuses functions, the request is sent again without them, with the results
    so far.

    Raises:
        NoAnswer: the model keeps searching after the last allowed search; also as in `stream`.
    """
    end = time.monotonic() + request.timeout
    usage: Usage | None = None
    while True:
        remark = _Remark()
        try:
            for event in stream(request):
                if isinstance(event, TextDelta):
                    yield from remark.feed(event)
                else:
                    answer = event
        except ServiceError as error:
            if error.code != "no_functions" or remark.is_out:
                raise
            request = _without_functions(request, searches.found)
            continue
        usage = usage + answer.usage if usage and answer.usage else answer.usage or usage
        if not answer.calls:
            yield from remark.rest()
            yield replace(answer, usage=usage)
            return
        if request.calls_over:
            raise NoAnswer(
                "the model searched the knowledge but gave no answer",
                hint="set `function_tools = false` in the profile to offer no searches",
                code="empty",
            )
        request = replace(
            request,
            answered=(*request.answered, *map(searches.answer, answer.calls)),
            calls_over=searches.are_over or len(request.answered) >= MOST_SEARCHES,
            timeout=max(end - time.monotonic(), _LEAST_SECONDS),
        )


_MOST_APPROVALS = 20  # of one answer

Approve = Callable[[ToolApproval], bool]


def mask_keys(error: GptasstError, request: ModelRequest) -> None:
    """Take the keys of MCP servers out of an error, which may quote what was sent."""
    for key in request.mcp_keys.values():
        mask_error(error, Endpoint("", "", api_key=key))


def approving(stream: Stream, approve: Approve | None) -> Stream:
    """Sends requests as `stream` does; a model that asks before it calls a tool gets an answer."""

    def send(request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]:
        return answer_with_approvals(stream, request, approve) if request.mcp else stream(request)

    return send


def answer_with_approvals(
    stream: Stream, request: ModelRequest, approve: Approve | None
) -> Iterator[TextDelta | ModelAnswer]:
    """The answer to a request whose model asks before it calls tools of MCP servers.

    Args:
        stream: sends a request.
        request: it offers tools of MCP servers.
        approve: asks somebody; `None`: there is nobody.

    Raises:
        UsageError: a call has to be allowed, and there is nobody to ask.
        NoAnswer: the model goes on asking.
    """
    end = time.monotonic() + request.timeout
    usage: Usage | None = None
    asked = 0
    while True:
        answer: ModelAnswer | None = None
        for event in stream(request):
            if isinstance(event, ModelAnswer):
                answer = event
            else:
                yield event
        assert answer is not None  # a stream ends with it, or an error is raised
        usage = usage + answer.usage if usage and answer.usage else answer.usage or usage
        if not answer.approvals:
            yield replace(answer, usage=usage)
            return
        asked += len(answer.approvals)
        if asked > _MOST_APPROVALS:
            raise NoAnswer("the model keeps asking to call tools and gives no answer", code="empty")
        decisions = [_decision(approval, approve) for approval in answer.approvals]
        if request.conversation_id:  # where the server has kept the rest
            request = replace(request, parts=(), carried=tuple(decisions))
        else:
            request = replace(request, carried=(*request.carried, *answer.carried, *decisions))
        request = replace(request, timeout=max(end - time.monotonic(), _LEAST_SECONDS))


def _decision(approval: ToolApproval, approve: Approve | None) -> dict[str, object]:
    if approve is None:
        raise UsageError(
            f"the model wants to call `{approval.tool}` of `mcp:{approval.label}`"
            f" with {_shortened(approval.arguments)}, which has to be allowed",
            hint='run it at a terminal, or set `approval = "never"` in its [[tools.mcp]]',
            code="needs_confirmation",
        )
    return {
        "type": "mcp_approval_response",
        "approval_request_id": approval.id,
        "approve": approve(approval),
    }


def _shortened(arguments: str) -> str:
    return (
        arguments if len(arguments) <= _LONGEST_ARGUMENTS else arguments[:_LONGEST_ARGUMENTS] + "…"
    )


def _without_functions(request: ModelRequest, found: Sequence[Excerpt]) -> ModelRequest:
    parts = (*request.parts, *(TextPart(tagged_excerpt(excerpt)) for excerpt in found))
    return replace(request, parts=parts, functions=(), answered=(), calls_over=False)


class _Remark:
    """Text that may be a remark before a call: it is held back while it is short."""

    def __init__(self) -> None:
        self.is_out = False
        self._held: list[TextDelta] = []
        self._length = 0

    def feed(self, piece: TextDelta) -> Iterator[TextDelta]:
        self._length += len(piece.text)
        self._held.append(piece)
        if self._length > _REMARK:
            yield from self.rest()

    def rest(self) -> Iterator[TextDelta]:
        self.is_out = self.is_out or bool(self._held)
        yield from self._held
        self._held.clear()
