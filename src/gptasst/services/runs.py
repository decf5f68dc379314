"""One run: an assistant or instruction, a task and its files, an answer."""

from __future__ import annotations

import contextlib
import datetime
import shlex
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from gptasst.definitions import InstructionLibrary
from gptasst.errors import (
    AccessDenied,
    GptasstError,
    NotFound,
    ServiceError,
    UsageError,
)
from gptasst.model_catalog import ending_soon, shutdown_advice
from gptasst.models.assistants import RunTarget
from gptasst.models.definitions import Definition
from gptasst.models.knowledge import Excerpt
from gptasst.models.runs import (
    Citation,
    FilePart,
    ModelAnswer,
    ModelRequest,
    RunPlan,
    RunRequest,
    RunResult,
    TextDelta,
    Timings,
)
from gptasst.services.answer_schemas import check_schema
from gptasst.services.code_fences import FenceFilter
from gptasst.services.input_uploads import with_uploads
from gptasst.services.past_messages import newest_that_fit
from gptasst.services.run_fingerprints import basis_digest
from gptasst.services.run_inputs import (
    estimated_tokens,
    message_parts,
    planned_inputs,
    refuse_hosted_tools,
    refuse_too_long,
    refuse_what_is_not_taken,
    task_of,
    text_characters,
)
from gptasst.settings import Profile
from gptasst.stores import AssistantStore

# What knowledge may take of a request, in characters, where the context is not known.
_EXCERPT_CHARACTERS = 24_000
_SHORTEST_EMBEDDED_ANSWER = 1024
Found = tuple[RunTarget | None, Definition]
_NO_ASSISTANTS = ("no_vector_stores", "no_key")


class Gateway(Protocol):
    """What a run needs of an endpoint; `OpenAIGateway` is one."""

    def stream(self, request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]: ...
    def upload_input(self, part: FilePart) -> FilePart: ...
    def delete_file(self, file_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that is ready to be sent: nothing that can be refused beforehand is wrong with it.

    `task` is what was asked in words; `left_out` counts the past messages that do not fit.
    """

    request: RunRequest
    task: str | None
    left_out: int
    source: Literal["assistant", "instruction"]
    definition: Definition
    excerpts: tuple[Excerpt, ...]
    model_request: ModelRequest

    def within(self, conversation_id: str) -> PreparedRun:
        """The same run as a turn of a conversation that the server keeps."""
        sent = replace(self.model_request, conversation_id=conversation_id)
        return replace(self, model_request=sent)


class RunService:
    """Runs assistants and instructions on one endpoint.

    Args:
        profile: the endpoint and its defaults.
        context_window: of the endpoint, in tokens, where it is known.
        embedded_model: the embedded model's name where that is the endpoint.
        open_store: gives the store in which assistants are looked up.
        library: where instructions are looked up.
        open_gateway: makes the connection; called when the request is ready.
    """

    def __init__(
        self,
        *,
        profile: Profile,
        context_window: int | None,
        embedded_model: str | None,
        open_store: Callable[[], AssistantStore],
        library: InstructionLibrary,
        open_gateway: Callable[[], Gateway],
    ) -> None:
        self._profile = profile
        self._context_window = context_window
        self._embedded_model = embedded_model
        self._open_store = open_store
        self._library = library
        self._open_gateway = open_gateway

    def model_of(self, name: str, model: str | None) -> str:
        """The model that answers for an assistant or instruction.

        Raises:
            NotFound: no assistant or instruction has that name, or the model is not there.
            UsageError: no model is named.
            AccessDenied: the endpoint wants a key, and there is none.
        """
        self._profile.require_key()
        return self._model(RunRequest(name, model=model), self.find(name)[1])

    def plan(self, request: RunRequest) -> RunPlan:
        """What a run would send. Nothing is sent, and no key is needed.

        Raises:
            GptasstError: what `stream` would refuse before sending.
        """
        prepared = self._prepare(request, self.find(request.name))
        sent = prepared.model_request
        said = [message.parts for message in sent.past]
        characters = sum(map(text_characters, (*said, sent.parts)))
        return RunPlan(
            name=request.name,
            source=prepared.source,
            profile=self._profile.name,
            endpoint=self._profile.endpoint,
            model=sent.model,
            inputs=planned_inputs(request),
            excerpts=prepared.excerpts,
            instructions_characters=len(sent.instructions),
            input_characters=characters,
            estimated_tokens=estimated_tokens(characters + len(sent.instructions)),
        )

    def basis(self, request: RunRequest, found: Found) -> str:
        """The digest of all that shapes a run's answer but its input; see `run_fingerprints`."""
        target, definition = found
        if not request.file_search:
            tools = replace(definition.tools, file_search=False)
            definition = replace(definition, tools=tools)
        return basis_digest(
            definition,
            model=self._model(request, definition),
            task=request.text or definition.default_text,
            schema=request.schema or definition.schema,
            knowledge_sha256=target.knowledge_sha256 if target and request.file_search else "",
        )

    def model(self, request: RunRequest, found: Found) -> str:
        """The model that a run asks.

        Raises:
            UsageError: none is named.
            NotFound: the endpoint does not have it.
        """
        return self._model(request, found[1])

    def model_request(self, request: RunRequest, found: Found) -> ModelRequest:
        """What `stream` would send, for a caller that sends it another way.

        Raises:
            GptasstError: what `stream` would refuse before sending.
        """
        self._profile.require_key()
        return self._prepare(request, found).model_request

    def stream(
        self, request: RunRequest, found: Found | None = None
    ) -> Generator[TextDelta | RunResult]:
        """Run it; yields the answer piece by piece, the whole `RunResult` last.

        What can be refused without sending anything is refused at once, before the first piece.
        With `found` no assistant is looked up, so that many runs are runs of one definition.
        The pieces may be read in another thread.

        The pieces put together are the result's `answer`. With a schema the answer comes in
        one piece, after it was checked.

        Raises:
            NotFound: no assistant or instruction has that name.
            UsageError: there is nothing to work on.
            InvalidInput: an input is not taken by this endpoint, or is too long.
            NoAnswer: the model refused, failed, or was cut off.
            GptasstError: the request was not taken; see `errors`.
        """
        return self.send(self.prepare(request, found))

    def connect(self) -> None:
        """Open the connection now, so that what hinders it is known before many runs begin."""
        self._open_gateway()

    def prepare(self, request: RunRequest, found: Found | None = None) -> PreparedRun:
        """Make a run ready to be sent.

        Raises:
            GptasstError: what `stream` refuses without sending anything.
        """
        self._profile.require_key()
        return self._prepare(request, found or self.find(request.name))

    def send(
        self, prepared: PreparedRun, received: list[str] | None = None
    ) -> Generator[TextDelta | RunResult]:
        """Send a run; yields and raises as `stream` does.

        Args:
            prepared: from `prepare`.
            received: gets every piece of the answer as it comes, those that are held back, too.
        """
        gateway = self._open_gateway()
        uploaded: list[str] = []
        sent = prepared.model_request
        try:
            if not sent.conversation_id:  # a conversation outlives an upload
                sent = with_uploads(gateway, sent, uploaded)
            yield from self._answer(gateway, replace(prepared, model_request=sent), received)
        finally:
            for file_id in uploaded:
                with contextlib.suppress(GptasstError):  # the server forgets it in a day
                    gateway.delete_file(file_id)

    def _answer(
        self, gateway: Gateway, prepared: PreparedRun, received: list[str] | None
    ) -> Iterator[TextDelta | RunResult]:
        started = time.monotonic()
        first_token: float | None = None
        pieces: list[str] = []
        schema = prepared.model_request.schema
        fence = FenceFilter() if prepared.definition.unwrap_fence or schema else None
        for event in gateway.stream(prepared.model_request):
            if isinstance(event, TextDelta):
                first_token = first_token or time.monotonic() - started
                if received is not None:
                    received.append(event.text)
                text = fence.feed(event.text) if fence else event.text
            else:
                text = fence.finish() if fence else ""
            if text:
                pieces.append(text)
                if not schema:
                    yield TextDelta(text)
            if isinstance(event, ModelAnswer):
                answer = "".join(pieces)
                if schema:
                    check_schema(answer, schema)
                    yield TextDelta(answer)
                timings = Timings(first_token, time.monotonic() - started)
                yield self._result(prepared, event, answer, timings)

    def _result(
        self,
        prepared: PreparedRun,
        received: ModelAnswer,
        answer: str,
        timings: Timings,
    ) -> RunResult:
        quoted = tuple(Citation(e.path, e.place, e.text) for e in prepared.excerpts)
        return RunResult(
            name=prepared.request.name,
            answer=answer,
            model=received.model,
            profile=self._profile.name,
            response_id=received.response_id,
            timings=timings,
            usage=received.usage,
            citations=received.citations + quoted,
            warnings=self._model_warnings(prepared),
            left_out=prepared.left_out,
        )

    def _model_warnings(self, prepared: PreparedRun) -> tuple[str, ...]:
        """That OpenAI will shut the model down soon, and what to type then."""
        request, model = prepared.request, prepared.model_request.model
        today = datetime.datetime.now(tz=datetime.UTC).date()
        shutdown = ending_soon(model, today) if self._profile.name == "openai" else None
        if shutdown is None:
            return ()
        change = f"-m {shutdown.successor}"
        if prepared.source == "assistant" and not request.model:
            change = f"gptasst assistant edit {shlex.quote(request.name)} {change}"
        return (f"{shutdown_advice(model, today)}: `{change}`",)

    def _prepare(self, request: RunRequest, found: Found) -> PreparedRun:
        refuse_what_is_not_taken(request, self._profile)
        target, definition = found
        task = task_of(request, definition)
        knows = bool(target and target.knowledge_sha256)
        searches = knows and request.file_search and definition.tools.file_search is not False
        excerpts = self._excerpts(target, request, task) if target and searches else ()
        parts = message_parts(task, request, excerpts)
        characters = text_characters(parts)
        refuse_too_long(characters)
        refuse_hosted_tools(definition, self._profile)
        settings = definition.settings
        if self._embedded_model and settings.max_output_tokens is None:
            # Small models may never stop by themselves; an edited text is about as long again.
            limit = max(_SHORTEST_EMBEDDED_ANSWER, 2 * estimated_tokens(characters))
            settings = replace(settings, max_output_tokens=limit)
        past = request.past
        if self._context_window is not None:
            tokens = self._context_window - (settings.max_output_tokens or 0)
            past = newest_that_fit(past, tokens, len(definition.instructions) + characters)
        return PreparedRun(
            request=request,
            task=task,
            left_out=len(request.past) - len(past),
            source="assistant" if target else "instruction",
            definition=definition,
            excerpts=excerpts,
            model_request=ModelRequest(
                model=self._model(request, definition),
                instructions=definition.instructions,
                parts=parts,
                timeout=request.timeout or self._profile.timeout,
                settings=settings,
                code_interpreter=definition.tools.code_interpreter,
                web_search=definition.tools.web_search,
                schema=request.schema or definition.schema,
                vector_store_id=target.vector_store_id if target and searches else None,
                past=past,
            ),
        )

    def find(self, name: str) -> Found:
        """The assistant of that name and its definition, else the instruction's.

        Raises:
            NotFound: there is neither.
        """
        try:
            target = self._open_store().open(name)
        except (NotFound, ServiceError, AccessDenied) as missing:
            # Without a key, or without a place for assistants, there are still instructions.
            if not isinstance(missing, NotFound) and missing.code not in _NO_ASSISTANTS:
                raise
            try:
                return None, self._library.find(name).definition
            except NotFound as error:
                raise NotFound(
                    f"no assistant or instruction `{name}`", hint=_nearest(missing, error)
                ) from None
        return target, target.definition

    def _excerpts(
        self, target: RunTarget, request: RunRequest, task: str | None
    ) -> tuple[Excerpt, ...]:
        texts = (task, request.stdin, *(file.text for file in request.files))
        query = "\n".join(text for text in texts if text)
        # A third of a small context: in characters that is a number about as large.
        limit = min(_EXCERPT_CHARACTERS, self._context_window or _EXCERPT_CHARACTERS)
        return tuple(self._open_store().search(target, query, limit))

    def _model(self, request: RunRequest, definition: Definition) -> str:
        asked = request.model or definition.model
        own = self._embedded_model
        if own:
            if asked and asked != own:
                raise NotFound(
                    f"the embedded model is `{own}`, not `{asked}`",
                    hint=f"-m {own} takes it; --profile NAME means a server that has `{asked}`",
                    code="model_not_found",
                )
            return own
        model = asked or self._profile.model
        if not model:
            raise UsageError(
                f"no model is named for {self._profile.endpoint}",
                hint=f"-m MODEL, or `model` in [profiles.{self._profile.name}] of config.toml",
                code="no_model",
            )
        return model


def _nearest(*errors: GptasstError) -> str:
    for error in errors:
        if error.hint and error.hint.startswith("did you mean"):
            return error.hint
    return "`gptasst assistant list` and `gptasst instruction list` show what there is"
