"""One run: an assistant or instruction, a task and its files, an answer."""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from gptasst.definitions import InstructionLibrary
from gptasst.errors import (
    AccessDenied,
    GptasstError,
    InvalidInput,
    NoAnswer,
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
    TextPart,
    Timings,
)
from gptasst.services.code_fences import FenceFilter
from gptasst.services.run_fingerprints import basis_digest
from gptasst.services.run_inputs import (
    INLINE_BYTES,
    estimated_tokens,
    message_parts,
    planned_inputs,
    refuse_too_long,
    refuse_what_is_not_taken,
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
class _Prepared:
    """A run that is ready to be sent."""

    source: Literal["assistant", "instruction"]
    definition: Definition
    excerpts: tuple[Excerpt, ...]
    model_request: ModelRequest


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

    def plan(self, request: RunRequest) -> RunPlan:
        """What a run would send. Nothing is sent, and no key is needed.

        Raises:
            GptasstError: what `stream` would refuse before sending.
        """
        prepared = self._prepare(request, self.find(request.name))
        sent = prepared.model_request
        characters = text_characters(sent.parts)
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
        return basis_digest(
            definition,
            model=self._model(request, definition),
            task=request.text or definition.default_text,
            schema=request.schema or definition.schema,
            knowledge_sha256=target.knowledge_sha256 if target else "",
        )

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
        self._profile.require_key()
        prepared = self._prepare(request, found or self.find(request.name))
        return self._send(request, prepared)

    def connect(self) -> None:
        """Open the connection now, so that what hinders it is known before many runs begin."""
        self._open_gateway()

    def _send(self, request: RunRequest, prepared: _Prepared) -> Generator[TextDelta | RunResult]:
        gateway = self._open_gateway()
        uploaded: list[str] = []
        try:
            parts = tuple(_upload_large(gateway, p, uploaded) for p in prepared.model_request.parts)
            sent = replace(prepared.model_request, parts=parts)
            yield from self._answer(gateway, request, replace(prepared, model_request=sent))
        finally:
            for file_id in uploaded:
                with contextlib.suppress(GptasstError):  # the server forgets it in a day
                    gateway.delete_file(file_id)

    def _answer(
        self, gateway: Gateway, request: RunRequest, prepared: _Prepared
    ) -> Iterator[TextDelta | RunResult]:
        started = time.monotonic()
        first_token: float | None = None
        pieces: list[str] = []
        schema = prepared.model_request.schema
        fence = FenceFilter() if prepared.definition.unwrap_fence or schema else None
        for event in gateway.stream(prepared.model_request):
            if isinstance(event, TextDelta):
                first_token = first_token or time.monotonic() - started
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
                    _check_schema(answer, schema)
                    yield TextDelta(answer)
                timings = Timings(first_token, time.monotonic() - started)
                yield self._result(request, prepared, event, answer, timings)

    def _result(
        self,
        request: RunRequest,
        prepared: _Prepared,
        received: ModelAnswer,
        answer: str,
        timings: Timings,
    ) -> RunResult:
        quoted = tuple(Citation(e.path, e.place, e.text) for e in prepared.excerpts)
        return RunResult(
            name=request.name,
            answer=answer,
            model=received.model,
            profile=self._profile.name,
            response_id=received.response_id,
            timings=timings,
            usage=received.usage,
            citations=received.citations + quoted,
            warnings=self._model_warnings(request, prepared),
        )

    def _model_warnings(self, request: RunRequest, prepared: _Prepared) -> tuple[str, ...]:
        """That OpenAI will shut the model down soon, and what to type then."""
        model = prepared.model_request.model
        today = datetime.datetime.now(tz=datetime.UTC).date()
        shutdown = ending_soon(model, today) if self._profile.name == "openai" else None
        if shutdown is None:
            return ()
        change = f"-m {shutdown.successor}"
        if prepared.source == "assistant" and not request.model:
            change = f"gptasst assistant edit {request.name} -m {shutdown.successor}"
        return (f"{shutdown_advice(model, today)}: `{change}`",)

    def _prepare(self, request: RunRequest, found: Found) -> _Prepared:
        refuse_what_is_not_taken(request, self._profile)
        target, definition = found
        task = _task(request, definition)
        knows = bool(target and target.knowledge_sha256)
        searches = knows and definition.tools.file_search is not False
        excerpts = self._excerpts(target, request, task) if target and searches else ()
        parts = message_parts(task, request, excerpts)
        characters = text_characters(parts)
        refuse_too_long(characters)
        self._refuse_hosted_tools(definition)
        settings = definition.settings
        if self._embedded_model and settings.max_output_tokens is None:
            # Small models may never stop by themselves; an edited text is about as long again.
            limit = max(_SHORTEST_EMBEDDED_ANSWER, 2 * estimated_tokens(characters))
            settings = replace(settings, max_output_tokens=limit)
        return _Prepared(
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

    def _refuse_hosted_tools(self, definition: Definition) -> None:
        tools = definition.tools
        if self._profile.embedded and (tools.code_interpreter or tools.web_search):
            tool = "code_interpreter" if tools.code_interpreter else "web_search"
            raise UsageError(
                f"`{definition.name}` uses {tool}, which the embedded model does not have",
                hint="--profile openai has it",
                code="tool_not_available",
            )


def _task(request: RunRequest, definition: Definition) -> str | None:
    """The task in words: the user's, else the definition's own where there is input."""
    if request.text:
        return request.text
    if request.files or request.stdin is not None:
        return definition.default_text
    raise UsageError(
        "there is nothing to work on",
        hint="give files (-f FILE…), a text (-t TEXT), or pipe something in",
        code="no_input",
    )


def _nearest(*errors: GptasstError) -> str:
    for error in errors:
        if error.hint and error.hint.startswith("did you mean"):
            return error.hint
    return "`gptasst assistant list` and `gptasst instruction list` show what there is"


def _upload_large(
    gateway: Gateway, part: TextPart | FilePart, uploaded: list[str]
) -> TextPart | FilePart:
    if isinstance(part, TextPart) or part.data is None or len(part.data) <= INLINE_BYTES:
        return part
    sent = gateway.upload_input(part)
    assert sent.file_id is not None
    uploaded.append(sent.file_id)
    return sent


def _check_schema(answer: str, schema: object) -> None:
    """Hold the answer to its schema: servers may ignore the one they are sent."""
    from jsonschema import ValidationError, validate
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    nothing_fetched: Registry[object] = Registry()  # jsonschema's own asks the network
    try:
        validate(json.loads(answer), schema, registry=nothing_fetched)  # type: ignore[arg-type]
    except ValueError as error:
        reason = f"it is not JSON: {error}"
    except ValidationError as error:
        reason = f"{error.json_path}: {error.message}"
    except Unresolvable as error:
        raise InvalidInput(
            f"the schema refers to `{error.ref}`, which is not in it", code="bad_schema"
        ) from None
    else:
        return
    raise NoAnswer(
        f"the answer does not fit the schema: {reason}",
        hint="run it again, or use a model that follows schemas",
        code="schema_mismatch",
    )
