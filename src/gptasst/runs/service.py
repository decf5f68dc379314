"""Run an assistant or instruction with a task and files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from gptasst.api.tools import ToolRefused
from gptasst.api.types import Citation, FoundText, ModelAnswer, ModelRequest, TextDelta, TextPart
from gptasst.assistants.types import Resolved
from gptasst.config.profile import Profile
from gptasst.definitions.schemas import check_answer
from gptasst.errors import GptasstError, NotFound, ServiceError
from gptasst.knowledge.places import with_places
from gptasst.models.ends import ModelEnds, ModelUse
from gptasst.models.prices import Estimate, Window
from gptasst.runs.answer_text import (
    AnswerFilter,
    ExcerptTags,
    GivenTexts,
    refuse_control_characters,
    refuse_unusable,
)
from gptasst.runs.edits import EditPlan, EditRun, Progress
from gptasst.runs.inputs import OpenGateway, planned_inputs, text_characters, with_uploads
from gptasst.runs.paid_answers import AnswerKeeper, PaidAnswers
from gptasst.runs.preparation import NOTHING_FOUND, PreparedRun, RunPreparation
from gptasst.runs.spending import Meter, Spending, Stream
from gptasst.runs.tools import (
    Approve,
    KnowledgeSearches,
    answer_with_searches,
    approving,
    mask_keys,
)
from gptasst.runs.types import RunPlan, RunRequest, RunResult, Timings, basis_digest
from gptasst.threads import more_time

_LAST_SECONDS = 10.0  # seconds for final work after a run's timeout


class RunService:
    """Runs assistants and instructions on one endpoint.

    `keeper` opens the store for the answers of a failed edit, if they should be saved.
    `approve` asks somebody whether a model may call a tool of an MCP server, if anybody is there.

    Args:
        profile: the endpoint and its defaults.
        resolve: finds the assistant or instruction of a name.
        preparation: makes runs ready for it.
        open_gateway: makes the connection; called when the request is ready.
        ends: tells when models end.
        progress: told how many requests of an edit are done, and of how many.
        spending: what runs may take and took.
    """

    def __init__(
        self,
        profile: Profile,
        resolve: Callable[[str], Resolved],
        preparation: RunPreparation,
        open_gateway: OpenGateway,
        ends: ModelEnds,
        progress: Progress = lambda _done, _all: None,
        spending: Spending = Spending(),  # noqa: B008  # it never changes
    ) -> None:
        self._profile = profile
        self.resolve = resolve
        self._preparation = preparation
        self._open_gateway = open_gateway
        self._ends = ends
        self._progress = progress
        self.keeper: Callable[[], AnswerKeeper] | None = None
        self.spending = spending
        self.approve: Approve | None = None
        self._functions_refused = False

    @property
    def takes_documents(self) -> bool:
        """Whether the endpoint supports documents; else their text is sent."""
        return self._profile.input_file

    def plan(self, request: RunRequest) -> RunPlan:
        """What a run would send. Sends nothing, and needs no key.

        Raises:
            GptasstError: the errors of `stream` before sending.
        """
        prepared = self._preparation.prepare(request, self.resolve(request.name), ask=False)
        sent = prepared.model_request
        said = [message.parts for message in sent.past]
        characters = sum(map(text_characters, (*said, sent.parts)))
        estimate = self.spending.estimate(prepared)
        return RunPlan(
            name=request.name,
            source=prepared.resolved.source,
            profile=self._profile.name,
            endpoint=self._profile.endpoint,
            model=sent.model,
            inputs=planned_inputs(prepared.request),
            excerpts=prepared.excerpts,
            notes=prepared.notes,
            instructions_characters=len(sent.instructions),
            input_characters=characters,
            estimated_tokens=estimate.input_tokens,
            estimated_output_tokens=estimate.output_tokens,
            estimated_cost=self.spending.choices(estimate),
            definition=prepared.resolved.path,
            tools=prepared.definition.tools.hosted,
            functions=tuple(function.name for function in sent.functions),
        )

    def estimate(self, request: RunRequest, resolved: Resolved, window: Window = "now") -> Estimate:
        """What a run may take. Nothing is sent, and no key is needed.

        Raises:
            GptasstError: the errors of `stream` before sending.
        """
        prepared = self._preparation.prepare(request, resolved, ask=False)
        return self.spending.estimate(prepared, window)

    def basis(self, request: RunRequest, resolved: Resolved) -> str:
        """The digest of everything that shapes a run's answer, except its input."""
        resolved = resolved.filled(request.variables)
        target, definition = resolved.assistant, resolved.definition
        if not request.file_search:
            tools = replace(definition.tools, file_search=False)
            definition = replace(definition, tools=tools)
        return basis_digest(
            definition,
            model=self._preparation.model(request, definition),
            task=request.text or definition.default_text,
            schema=request.schema or definition.schema,
            knowledge_sha256=target.knowledge_sha256 if target and request.file_search else "",
        )

    def model(self, request: RunRequest, resolved: Resolved | None = None) -> str:
        """The model of a run.

        Raises:
            NotFound: no assistant or instruction has that name, or the model does not exist.
            UsageError: no model is set.
            AccessDenied: the endpoint needs a key, and there is none.
        """
        self._profile.require_key()
        resolved = resolved or self.resolve(request.name)
        return self._preparation.model(request, resolved.definition)

    def warnings(self, request: RunRequest, resolved: Resolved) -> tuple[str, ...]:
        """Warnings about a shutdown of the model, or about an assistant that may be missing."""
        found = (resolved.doubt, self._use(request, resolved).warning())
        return tuple(warning for warning in found if warning)

    def refuse_retired(self, request: RunRequest, resolved: Resolved) -> None:
        """Raise if a model was shut down.

        Raises:
            NotFound: the server no longer lists it.
        """
        use = self._use(request, resolved)
        error = use.missing() if use.is_over else None
        if error and not self._lists(use.model):
            raise error

    def _lists(self, model: str) -> bool:
        try:
            return any(found.id == model for found in self._open_gateway().models.list())
        except GptasstError:  # a key may not list all models; then the date counts
            return False

    def stream(
        self, request: RunRequest, resolved: Resolved | None = None
    ) -> Generator[TextDelta | RunResult]:
        """Run a request; yield the answer in pieces, the `RunResult` last.

        Errors that are found before anything is sent are raised at once, before the first piece.
        With `resolved` no assistant is looked up, so that many runs use the same definition. The
        pieces may be read in another thread.

        The pieces together are the result's `answer`. With a schema the answer is one piece, after
        it was checked.

        Raises:
            NotFound: no assistant or instruction has that name.
            UsageError: there is no input.
            InvalidInput: the endpoint does not support an input, or it is too long.
            NoAnswer: the model refused or failed, or its answer was cut off.
            GptasstError: the request was refused; see `errors`.
        """
        prepared = self.prepare(request, resolved)
        meter = self._meter(prepared)
        if prepared.edit:
            return self._edited(prepared, prepared.edit, meter)
        return self._sent(prepared, meter, None)

    def _meter(self, prepared: PreparedRun) -> Meter:
        """What counts a run; the connection is only opened with its first request.

        Raises:
            LimitReached: the run may cost more than its budget has left.
            UsageError: it has a budget, and its price is not known.
        """
        meter = self.spending.meter(self._open_gateway, prepared)
        meter.admit()
        return meter

    def connect(self, at_once: int) -> None:
        """Open the connection for so many runs now, so that errors show before they start."""
        self._open_gateway(at_once)

    def prepare(self, request: RunRequest, resolved: Resolved | None = None) -> PreparedRun:
        """Prepare a run.

        Raises:
            GptasstError: the errors of `stream` before sending.
        """
        self._profile.require_key()
        return self._preparation.prepare(request, resolved or self.resolve(request.name))

    def send(
        self, prepared: PreparedRun, received: list[str] | None = None
    ) -> Generator[TextDelta | RunResult]:
        """Send a run; yields and raises like `stream`.

        Args:
            prepared: from `prepare`.
            received: called with every piece of the answer as it arrives, even if it is held back.
        """
        return self._sent(prepared, self._meter(prepared), received)

    def _sent(
        self, prepared: PreparedRun, meter: Meter, received: list[str] | None
    ) -> Generator[TextDelta | RunResult]:
        gateway = self._open_gateway()
        uploaded: list[str] = []
        if self._functions_refused:
            prepared = prepared.without_functions()
        sent = prepared.model_request
        try:
            with self._explained(prepared), meter.counting():
                if not sent.conversation_id:  # a conversation outlives an upload
                    sent = with_uploads(gateway, sent, uploaded)
                prepared = replace(prepared, model_request=sent)
                yield from self._answer(meter, prepared, received)
        finally:
            with more_time(_LAST_SECONDS):
                for file_id in uploaded:
                    with contextlib.suppress(GptasstError):  # it expires after a day
                        gateway.delete_file(file_id)

    def _edited(
        self, prepared: PreparedRun, plan: EditPlan, meter: Meter
    ) -> Generator[TextDelta | RunResult]:
        """Run an edit; the text is one piece, after all of it was checked."""
        started = time.monotonic()
        gateway = self._open_gateway(plan.at_once)
        sent = prepared.model_request
        texts = sum(isinstance(part, TextPart) for part in sent.parts) - len(plan.inputs)
        common = replace(sent, parts=sent.parts[:texts])
        if plan.needs_context:
            plan = plan.within(gateway.context_window(sent.model))
        seconds, paid = prepared.request.timeout, PaidAnswers(self.keeper)
        stream = approving(meter.stream, self.approve)
        run = EditRun(plan, common, stream, self._progress, seconds, paid)
        with self._explained(prepared), meter.counting():
            edited = run.run()
        timings = Timings(None, time.monotonic() - started)
        last = edited.answers[-1] if edited.answers else ModelAnswer("", sent.model, "")
        received = replace(last, usage=edited.usage)
        yield TextDelta(edited.text)
        files = prepared.request.files
        encoding = files[0].encoding if len(files) == len(plan.inputs) == 1 else None
        yield replace(
            self._result(prepared, received, edited.text, timings),
            cost=meter.cost,
            kept=edited.kept,
            encoding=encoding or "utf-8",
        )

    @contextlib.contextmanager
    def _explained(self, prepared: PreparedRun) -> Iterator[None]:
        """Add to an error what is known of a missing model or tool."""
        try:
            yield
        except GptasstError as error:
            mask_keys(error, prepared.model_request)
            self._explain(prepared, error)
            raise

    def _explain(self, prepared: PreparedRun, error: GptasstError) -> None:
        """Raise what is known besides of an error, if anything is."""
        if isinstance(error, ToolRefused):
            name, tools = prepared.request.name, self._preparation.tools
            raise tools.refused(error, name, prepared.resolved) from error
        if isinstance(error, NotFound) and error.code == "model_not_found":
            self._preparation.forget_model()
            known = self._use(prepared.request, prepared.resolved).missing()
            if known is not None:
                raise known from error

    def _answer(
        self, meter: Meter, prepared: PreparedRun, received: list[str] | None
    ) -> Iterator[TextDelta | RunResult]:
        started = time.monotonic()
        first_token: float | None = None
        pieces: list[str] = []
        schema = prepared.model_request.schema
        given = GivenTexts() if schema else GivenTexts.of(prepared.request)
        unwrap = prepared.definition.unwrap_fence or schema is not None
        part = AnswerFilter(given, unwrap=unwrap)
        searches = prepared.searches()
        knows = bool(prepared.excerpts) or searches is not None
        excerpts = ExcerptTags(GivenTexts.of(prepared.request), knowledge=knows)
        for event in self._events(meter.stream, prepared.model_request, searches):
            if isinstance(event, TextDelta):
                first_token = first_token or time.monotonic() - started
                refuse_control_characters(event.text)
                if received is not None:
                    received.append(event.text)
                text = part.feed(excerpts.feed(event.text))
                pieces.append(text)
                if text and not schema:
                    yield TextDelta(text)
            else:
                rest = part.feed(excerpts.finish()) + part.finish()
                answer = "".join(pieces) + rest
                refuse_unusable(answer)
                if schema:
                    check_answer(answer, schema)
                    rest = answer
                if rest:
                    yield TextDelta(rest)
                timings = Timings(first_token, time.monotonic() - started)
                result = self._result(prepared, event, answer, timings, searches)
                yield replace(result, cost=meter.cost)

    def _events(
        self, stream: Stream, request: ModelRequest, searches: KnowledgeSearches | None
    ) -> Iterator[TextDelta | ModelAnswer]:
        stream = approving(stream, self.approve)
        if searches is None:
            return stream(request)
        return answer_with_searches(lambda sent: self._noting(stream, sent), request, searches)

    def _noting(self, stream: Stream, request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]:
        """The gateway's stream; remembers if the server does not support functions."""
        try:
            yield from stream(request)
        except ServiceError as error:
            if error.code == "no_functions":
                self._functions_refused = True
                self._preparation.tools.functions_refused()
            raise

    def _result(
        self,
        prepared: PreparedRun,
        received: ModelAnswer,
        answer: str,
        timings: Timings,
        searches: KnowledgeSearches | None = None,
    ) -> RunResult:
        received = with_places(received)
        found = dict.fromkeys((*prepared.excerpts, *(searches.found if searches else ())))
        quoted = tuple(Citation(e.path, e.place, e.text) for e in found)
        notes = tuple(note for note in prepared.notes if note != NOTHING_FOUND or not found)
        return RunResult(
            name=prepared.request.name,
            answer=answer,
            model=received.model,
            profile=self._profile.name,
            response_id=received.response_id,
            timings=timings,
            usage=received.usage,
            citations=received.citations + quoted,
            warnings=(
                *self.warnings(prepared.request, prepared.resolved),
                *notes,
                *self._preparation.tools.notes(received),
            ),
            left_out=prepared.left_out,
            definition=prepared.resolved.path,
            tools=prepared.definition.tools.hosted,
            reasoning=received.reasoning,
            searches=tuple(searches.queries) if searches else (),
            passages=received.passages + tuple(FoundText(e.path, e.text, e.place) for e in found),
        )

    def _use(self, request: RunRequest, resolved: Resolved) -> ModelUse:
        definition, of_assistant = resolved.definition, resolved.assistant is not None
        return self._ends.of_run(request.name, definition, request.model, of_assistant=of_assistant)
