"""Prepare a run: the model and the request, with all checks that need no server."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gptasst.api.requests import takes_breakpoints
from gptasst.api.types import ModelRequest, PastMessage
from gptasst.assistants.store import AssistantStore, revision_named
from gptasst.assistants.types import Resolved
from gptasst.config.profile import Profile
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.types import Definition, McpServer, ModelSettings
from gptasst.errors import AccessDenied, GptasstError, NotFound, ServiceError, UsageError
from gptasst.hints import cmd, suggestion
from gptasst.inputs.mistyped import name_left_out
from gptasst.knowledge.types import Excerpt
from gptasst.models.service import EndpointCapabilities, ModelChoice
from gptasst.runs.edits import EditPlan, Limits, inputs_of
from gptasst.runs.inputs import (
    asks_for_its_input,
    documents_as_text,
    estimated_tokens,
    message_parts,
    newest_that_fit,
    question_of,
    refuse_secrets,
    refuse_too_long,
    refuse_what_is_not_taken,
    task_of,
    text_characters,
)
from gptasst.runs.tools import SEARCH_KNOWLEDGE, KnowledgeSearches, Look, RunTools
from gptasst.runs.types import RunRequest
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.knowledge.types import FoundPassage

# Characters of knowledge in a request, if the context size is unknown.
_EXCERPT_CHARACTERS = 24_000
_MOST_EXCERPTS = 100
_SHORTEST_EMBEDDED_ANSWER = 1024
NONE_FITS = "no knowledge file fits `tools.file_search.filters`: nothing is searched"
NOTHING_FOUND = "nothing in the knowledge matches: no passages are sent"
ABOUT_KNOWLEDGE = frozenset({NOTHING_FOUND, NONE_FITS})  # notes that may apply to some files only
_NO_ASSISTANTS = ("no_vector_stores", "no_list", "no_key")


def resolve(
    open_store: Callable[[], AssistantStore], library: InstructionLibrary, name: str
) -> Resolved:
    """The assistant with that name, or else the instruction.

    Args:
        open_store: opens the store of assistants.
        library: the library of instructions.
        name: the name, or an assistant's id.

    Raises:
        NotFound: there is neither.
    """
    try:
        return _opened(open_store(), name)
    except (NotFound, ServiceError, AccessDenied) as missing:
        # Instructions work without a key, and without a store of assistants.
        if missing.code == "no_revision":
            raise
        if not isinstance(missing, NotFound) and missing.code not in _NO_ASSISTANTS:
            raise
        try:
            found = library.find(name)
        except NotFound as error:
            return _renamed(open_store, name, missing, error)
        doubt = None
        refused = missing.code == "no_key" and missing.__cause__ is not None  # by the server
        if missing.code == "no_list" or refused:
            doubt = f"`{name}` is taken for the instruction, as {missing.message}; {missing.advice}"
        return Resolved(found.definition, path=found.path, doubt=doubt)


def _opened(store: AssistantStore, name: str) -> Resolved:
    """An assistant, or a revision of it as `NAME@REVISION`."""
    try:
        return store.open(name, briefly=True)
    except NotFound:
        named = revision_named(name)
        if named is None:
            raise
        return store.open(named[0], briefly=True, revision=named[1])


def _renamed(
    open_store: Callable[[], AssistantStore],
    name: str,
    missing: GptasstError,
    no_instruction: NotFound,
) -> Resolved:
    """The assistant that somebody else just renamed to `name`.

    Raises:
        NotFound: there is none.
        ServiceError: it is unknown, because the server can't list its objects.
    """
    if missing.code == "no_list":
        raise missing
    try:
        if isinstance(missing, NotFound):
            return open_store().open(name)
    except NotFound as error:
        missing = error
    hint = name_left_out(name) or _nearest(missing, no_instruction)
    if missing.code == "no_vector_stores" and not no_instruction.near:
        hint = f"{missing.message}; {missing.advice}"
    raise NotFound(f"no assistant or instruction `{name}`", hint=hint) from None


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that is ready to be sent and passed all checks.

    `task` is the task; `left_out` counts earlier messages that don't fit; `notes` are for the user;
    `edit` is set if the answer is an edit. With `look`, the model may search the knowledge, for up
    to `characters` of passages in total.
    """

    request: RunRequest
    task: str | None
    left_out: int
    resolved: Resolved
    excerpts: tuple[Excerpt, ...]
    notes: tuple[str, ...]
    model_request: ModelRequest
    edit: EditPlan | None = None
    look: Look | None = None
    characters: int = 0

    @property
    def definition(self) -> Definition:
        return self.resolved.definition

    def searches(self) -> KnowledgeSearches | None:
        """The searches that the model may make, where it is offered any."""
        return None if self.look is None else KnowledgeSearches(self.look, self.characters)

    def within(self, conversation_id: str) -> PreparedRun:
        """The run as a turn of a conversation that the server keeps.

        The server would keep searches, too, so none are offered.
        """
        sent = replace(self.model_request, conversation_id=conversation_id)
        return replace(self, model_request=sent).without_functions()

    def without_functions(self) -> PreparedRun:
        """The run for a server without function tools."""
        sent = replace(self.model_request, functions=())
        return replace(self, model_request=sent, look=None)


@dataclass(frozen=True, slots=True)
class _Knowledge:
    """The knowledge in a run: passages, a `look` that finds more, or a store on the server."""

    excerpts: tuple[Excerpt, ...] = ()
    notes: tuple[str, ...] = ()
    look: Look | None = None
    hosted: str | None = None


def _no_keys(server: McpServer) -> str:
    raise UsageError(f"there is no key for `mcp:{server.label}` here", code="no_key")


class RunPreparation:
    """Prepares runs for one endpoint.

    `mcp_key` gives the key of an MCP server whose definition names a variable, if it may have it;
    `user_mark` is what tells whoever runs this from others, on any machine.

    Args:
        profile: the endpoint and its defaults.
        context_window: the endpoint's context size in tokens, if known.
        embedded_model: the embedded model's name, if that is the endpoint.
        open_store: opens the store that searches knowledge, if the server does not.
        choice: chooses a model if none is set; the embedded one needs no choice.
        capabilities: knows the server's tools; the embedded model has none.
        small_model: whether the embedded model can only handle a sentence at a time.
    """

    def __init__(
        self,
        *,
        profile: Profile,
        context_window: int | None,
        embedded_model: str | None,
        open_store: Callable[[], AssistantStore],
        choice: ModelChoice | None,
        capabilities: EndpointCapabilities | None = None,
        small_model: bool = False,
    ) -> None:
        self.mcp_key: Callable[[McpServer], str] = _no_keys
        self.user_mark: Callable[[], str] = lambda: ""
        self._profile = profile
        self._context_window = context_window
        self._embedded_model = embedded_model
        self._open_store = open_store
        self._small_model = small_model
        self._choice = choice
        self.tools = RunTools(profile, capabilities)

    def prepare(self, request: RunRequest, resolved: Resolved, *, ask: bool = True) -> PreparedRun:
        """Prepare a run. Needs no key; for `ask` see `model`.

        Raises:
            GptasstError: a check failed; nothing was sent.
        """
        task_is_whole = asks_for_its_input(resolved.definition)
        resolved = resolved.filled(request.variables)
        request, notes = documents_as_text(request, self._profile)
        refuse_secrets(request)
        refuse_what_is_not_taken(request, self._profile)
        definition = resolved.definition
        task = task_of(request, definition, task_is_whole=task_is_whole)
        knowledge = self._knowledge(request, resolved, task)
        small = self._small_model and definition.edit is None
        parts = message_parts(task, request, knowledge.excerpts, small_model=small)
        characters = text_characters(parts)
        edit = self._edit_plan(request, definition)
        if edit is None:
            refuse_too_long(characters)
        look, kept_free = None, 0
        offers = knowledge.look and edit is None and self._profile.function_tools
        if offers and self.tools.take_functions():
            look, kept_free = knowledge.look, self._most()
        settings = self._settings(definition, characters)
        taken = len(definition.instructions) + characters + kept_free
        past = self._past(request, settings, taken)
        prepared = PreparedRun(
            request=request,
            task=task,
            left_out=len(request.past) - len(past),
            resolved=resolved,
            excerpts=knowledge.excerpts,
            edit=edit,
            look=look,
            characters=kept_free,
            notes=(*notes, *knowledge.notes),
            model_request=replace(
                self._model_request(request, resolved, self.model(request, definition, ask=ask)),
                parts=parts,
                settings=settings,
                safety_identifier=self._safety_identifier(settings),
                vector_store_id=knowledge.hosted,
                past=past,
                functions=(SEARCH_KNOWLEDGE,) if look else (),
            ),
        )
        self.tools.refuse_lacking(request.name, prepared.model_request, resolved, ask=ask)
        return prepared

    def _model_request(self, request: RunRequest, resolved: Resolved, model: str) -> ModelRequest:
        """The request without what depends on the input and on the knowledge."""
        definition, target = resolved.definition, resolved.assistant
        return ModelRequest(
            model=model,
            instructions=definition.instructions,
            parts=(),
            timeout=request.timeout or self._profile.timeout,
            code_interpreter=definition.tools.code_interpreter,
            web_search=definition.tools.web_search,
            web=definition.tools.web,
            code=definition.tools.code,
            mcp=definition.tools.mcp,
            mcp_keys={
                server.label: self.mcp_key(server)
                for server in definition.tools.mcp
                if server.key_env
            },
            schema=request.schema or definition.schema,
            search=definition.tools.search,
            search_paths=target.paths if target else None,
            breakpoints=self._profile.sets_breakpoints(model_takes_them=takes_breakpoints(model)),
            of_many=request.of_many,
        )

    def _settings(self, definition: Definition, characters: int) -> ModelSettings:
        """The settings of a run with so many characters of input."""
        settings = definition.settings
        if not self._embedded_model or settings.max_output_tokens is not None:
            return settings
        # Small models may never stop; an edited text has about the same length.
        limit = max(_SHORTEST_EMBEDDED_ANSWER, 2 * estimated_tokens(characters))
        return replace(settings, max_output_tokens=limit)

    def _past(
        self, request: RunRequest, settings: ModelSettings, taken: int
    ) -> tuple[PastMessage, ...]:
        """The earlier messages that fit beside so many characters."""
        if self._context_window is None:
            return request.past
        tokens = self._context_window - (settings.max_output_tokens or 0)
        return newest_that_fit(request.past, tokens, taken)

    def _safety_identifier(self, settings: ModelSettings) -> str | None:
        """A hash, as OpenAI asks for: it tells users apart and does not say who they are."""
        import hashlib

        given = settings.safety_identifier
        if given is None:
            return None
        text = self.user_mark() if given is True else given
        return hashlib.sha256(f"gptasst {text}".encode("utf-8", "replace")).hexdigest()

    def _edit_plan(self, request: RunRequest, definition: Definition) -> EditPlan | None:
        settings = definition.edit
        if settings is None or request.schema or definition.schema or request.past:
            return None
        inputs = inputs_of(request, settings)
        if not inputs:
            return None
        told = len(definition.instructions) + len(request.text or "")
        limits = Limits(self._context_window, definition.settings.max_output_tokens, told)
        small = self._small_model and settings.sentence_instructions is not None
        by_sentence = settings.unit == "sentence" or (settings.unit is None and small)
        at_once = 1 if self._embedded_model else 4
        return EditPlan(settings, inputs, by_sentence, limits, at_once)

    def _knowledge(self, request: RunRequest, resolved: Resolved, task: str | None) -> _Knowledge:
        target = resolved.assistant
        if target is None or not resolved.searches(asked_for=request.file_search):
            return _Knowledge()
        if target.paths == ():
            return _Knowledge(notes=(NONE_FITS,))
        if target.vector_store_id is not None:
            return _Knowledge(hosted=target.vector_store_id)
        store, most = self._open_store(), 1 if self._small_model else _MOST_EXCERPTS
        excerpts = self._excerpts(store.search(target, question_of(request, task), most))
        notes = () if excerpts else (NOTHING_FOUND,)
        return _Knowledge(excerpts, notes=notes, look=functools.partial(store.search, target))

    def _excerpts(self, found: Sequence[FoundPassage]) -> tuple[Excerpt, ...]:
        """The passages that fit into a request."""
        left = self._most()
        chosen = []
        for passage in found:
            if len(passage.text) <= left:
                chosen.append(Excerpt(passage.path, passage.place, passage.text))
                left -= len(passage.text)
        return tuple(chosen)

    def _most(self) -> int:
        """The most characters of knowledge in a run: a third of a small context.

        That number of characters is about the context's number of tokens.
        """
        return min(_EXCERPT_CHARACTERS, self._context_window or _EXCERPT_CHARACTERS)

    def model(self, request: RunRequest, definition: Definition, *, ask: bool = True) -> str:
        """The model of a run; if none is set, the server may be asked.

        Raises:
            UsageError: none is set, and the server has no clear default.
            NotFound: the embedded model is another.
        """
        asked = request.model or definition.model
        own = self._embedded_model
        if own:
            if asked and asked != own:
                raise NotFound(
                    f"the embedded model is `{own}`, not `{asked}`",
                    hint=f"-m {own} takes it; use --profile NAME for a server that has `{asked}`",
                    code="model_not_found",
                )
            return own
        model = asked or self._profile.model
        if model:
            return model
        assert self._choice is not None  # only the embedded model has no choice
        return self._choice.choose(ask=ask)

    def forget_model(self) -> None:
        """Forget a chosen model that is gone."""
        if self._choice is not None:
            self._choice.forget()


def _nearest(*errors: GptasstError) -> str:
    near = next((error.near for error in errors if error.near), None)
    if near:
        return suggestion(near)
    return f"{cmd('assistant list')} and {cmd('instruction list')} show what there is"
