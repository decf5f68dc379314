"""One server: the answers of its models, and the objects that it stores."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from gptasst.api.answers import (
    AnswerReader,
    broken_off,
    input_tokens,
    refuse_web_page,
    refuses_functions,
    with_count,
)
from gptasst.api.connection import Connection, missing, read_json
from gptasst.api.context_windows import ContextWindows
from gptasst.api.errors import reading, translate_error
from gptasst.api.events import Event, answer_events
from gptasst.api.failures import message_of, wants_stream
from gptasst.api.http import ConnectionFailure, RequestFailure, StatusFailure
from gptasst.api.limits import MAX_EVENTS, Deadline, OnLimits, patience, rate_limits
from gptasst.api.masking import masked
from gptasst.api.requests import request_body
from gptasst.api.retries import ATTEMPTS, retry_after, retrying, wait_before_retry
from gptasst.api.tools import could_be_tool, refused_tool, told_by_headers
from gptasst.api.types import Endpoint, FilePart, ModelAnswer, ModelRequest, PastMessage, TextDelta
from gptasst.errors import GptasstError, InvalidInput, NoAnswer, ServiceError
from gptasst.hints import cmd
from gptasst.inputs.encoding import as_utf8
from gptasst.threads import cached_property

if TYPE_CHECKING:
    from gptasst.api.batches import BatchGateway
    from gptasst.api.conversations import ConversationGateway
    from gptasst.api.deferred import DeferredGateway
    from gptasst.api.files import FileGateway
    from gptasst.api.http import Response
    from gptasst.api.models import EmbeddingGateway, ModelGateway, SlotGateway
    from gptasst.api.probes import ProbeGateway
    from gptasst.api.vector_stores import VectorStoreGateway

# An uploaded input is deleted after its run; if that fails, it expires after a day.
_UPLOAD_LIFETIME = 86_400
# Seconds to wait for the end of a response whose content is complete.
_END = 0.2
_UNREADY = 503  # an HTTP status


class OpenAIGateway:
    """The client of one endpoint. Connections are reused; call `close` when done."""

    def __init__(
        self,
        endpoint: Endpoint,
        connection: Connection | None = None,
        *,
        attempts: int = ATTEMPTS,
        in_pieces: bool = True,
        on_limits: OnLimits = lambda _: None,
        windows: ContextWindows | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._connection = connection or Connection(endpoint)
        self._attempts = attempts
        self._in_pieces = in_pieces
        self._on_limits = on_limits
        self._windows = windows or ContextWindows(self._connection)

    @property
    def name(self) -> str:
        """The endpoint's name in messages."""
        return self._endpoint.name

    # Each is imported when it is used.

    @cached_property
    def files(self) -> FileGateway:
        from gptasst.api.files import FileGateway

        return FileGateway(self._connection)

    @cached_property
    def vector_stores(self) -> VectorStoreGateway:
        from gptasst.api.vector_stores import VectorStoreGateway

        return VectorStoreGateway(self._connection)

    @cached_property
    def embeddings(self) -> EmbeddingGateway:
        from gptasst.api.models import EmbeddingGateway

        return EmbeddingGateway(self._connection)

    @cached_property
    def models(self) -> ModelGateway:
        from gptasst.api.models import ModelGateway

        return ModelGateway(self._connection)

    @cached_property
    def probes(self) -> ProbeGateway:
        from gptasst.api.probes import ProbeGateway

        return ProbeGateway(self._connection)

    @cached_property
    def slots(self) -> SlotGateway:
        from gptasst.api.models import SlotGateway

        return SlotGateway(self._connection)

    @cached_property
    def conversations(self) -> ConversationGateway:
        from gptasst.api.conversations import ConversationGateway

        return ConversationGateway(self._connection)

    @cached_property
    def deferred(self) -> DeferredGateway:
        from gptasst.api.deferred import DeferredGateway

        return DeferredGateway(self._connection, self._windows)

    @cached_property
    def batches(self) -> BatchGateway:
        from gptasst.api.batches import BatchGateway

        return BatchGateway(self._connection, self.files, self._windows)

    def paced(self, on_limits: OnLimits) -> OpenAIGateway:
        """A gateway over the same connection for a caller that paces many requests itself.

        Its `stream` sends once and leaves retries to the caller, who finds `transient` and
        `retry_after` in the error. `on_limits` is called, from any thread, with the rate limits of
        each response. Answers arrive in one piece: streaming dozens at once keeps a processor busy.
        """
        return OpenAIGateway(
            self._endpoint,
            self._connection,
            attempts=1,
            in_pieces=self._endpoint.embedded,  # as llama.cpp is asked for single runs
            on_limits=on_limits,
            windows=self._windows,
        )

    def close(self) -> None:
        self._connection.close()

    def pause(self, seconds: float) -> None:
        """Wait, unless the gateway is closed meanwhile."""
        self._connection.pause(seconds)

    def stream(self, request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]:
        """Send a request and yield the answer as it arrives, the complete `ModelAnswer` last.

        Raises:
            NoAnswer: the model refused, failed, was cut off, or the stream broke off.
            ServiceError: the server does not support functions that were offered (`no_functions`).
            GptasstError: the request was refused; see `errors`.
        """
        try:
            yield from self._stream(request)
        except (ServiceError, NoAnswer) as error:
            if request.search.text_weight is not None and "hybrid" in error.message.lower():
                raise ServiceError(
                    f"{self._endpoint.name} does not support `text_weight`",
                    hint="remove `text_weight` from `tools.file_search` in the definition",
                    code="bad_request",
                ) from error
            if not (request.functions and refuses_functions(error)):
                raise
            raise ServiceError(error.message, hint=error.advice, code="no_functions") from error
        except InvalidInput as error:
            if error.code != "too_long" or self._endpoint.embedded or self._attempts == 1:
                raise
            body = request_body(request, self._endpoint)
            raise with_count(error, self._connection, body) from error

    def _stream(self, request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]:
        deadline = Deadline(request.timeout, said="gave no whole answer")
        try:
            with contextlib.closing(self._send(request, deadline)) as response:
                refuse_web_page(response)
                self._on_limits(rate_limits(response.headers))
                with reading(self._endpoint):
                    reader = AnswerReader(
                        request,
                        self._endpoint,
                        self._windows.filled,
                        self._file_name,
                        self._windows.stopped_at,
                        told_by_headers(response.headers),
                    )
                    chunks = response.iter_bytes()
                    for event in reader.follow(_events(response, chunks)):
                        if isinstance(event, ModelAnswer):
                            _read_to_end(chunks, deadline)
                        yield event
        except RequestFailure as error:
            self._refuse_tool(error, request)
            self._refuse_gone(error, request)
            self._raise(error, request.model)

    def count_input(self, request: ModelRequest) -> int | None:
        """The tokens of a request's input, counted by the server; `None` if it can't count."""
        return input_tokens(self._connection, request_body(request, self._endpoint))

    def context_window(self, model: str) -> int | None:
        """The context of a model, in tokens, if it is known or the server reports it."""
        return self._windows.of(model)

    def _file_name(self, ident: str) -> str | None:
        """The name of a file on the server, for a citation without it."""
        with contextlib.suppress(GptasstError):
            return self.files.get(ident).filename
        return None

    def _send(self, request: ModelRequest, deadline: Deadline) -> Response:
        """The response to a request, with its body unread."""
        body = request_body(request, self._endpoint)
        in_pieces = self._in_pieces
        if in_pieces:
            body["stream"] = True

        def send() -> Response:
            silence = max(deadline.left(), 0.001)
            limits = patience(silence, most=MAX_EVENTS, deadline=deadline)
            return self._connection.send(
                "POST", "/responses", body=body, limits=limits, stream=True
            )

        def sent() -> Response:
            again = functools.partial(self._refuse_answered, request)
            return retrying(send, deadline, self._attempts, again, self._connection.pause)

        try:
            response = sent()
            if in_pieces or not _is_null(response):
                return response
            response.close()
        except StatusFailure as error:
            if in_pieces or not wants_stream(error):
                raise
        # The server only streams.
        self._in_pieces = body["stream"] = True
        return sent()

    def _refuse_answered(self, request: ModelRequest) -> None:
        """Raise if the server already answered the question and only its answer was lost.

        Asked again, the question would be in the conversation twice.
        """
        ident = request.conversation_id
        if ident and self.conversations.is_answered(ident, PastMessage("user", request.parts)):
            raise ServiceError(
                "the connection was lost, but the conversation already has an answer",
                hint=f"{cmd(f'conversation show {ident}')} shows it",
                code="answer_lost",
            )

    def upload_input(self, part: FilePart) -> FilePart:
        """Upload a part's data for one run; it expires after a day."""
        assert part.data is not None
        with self._connection.errors():
            uploaded = self._connection.once.files.with_raw_response.create(
                file=(as_utf8(part.filename), part.data, part.media_type),
                purpose="user_data",
                expires_after={"anchor": "created_at", "seconds": _UPLOAD_LIFETIME},
            )
            file_id = read_json(uploaded.http_response)["id"]
        return FilePart(part.kind, part.filename, part.media_type, file_id=file_id)

    def delete_file(self, file_id: str) -> None:
        """Delete an uploaded file. One that is already gone is ignored."""
        self.files.delete(file_id)

    def _refuse_tool(self, error: RequestFailure, request: ModelRequest) -> None:
        """Raise if the request failed because the server lacks a tool."""
        if isinstance(error, StatusFailure) and could_be_tool(error.status_code):
            words = masked(message_of(error), self._endpoint)
            refused = refused_tool(words, request, self._endpoint)
            if refused:
                raise refused from error

    def _refuse_gone(self, error: RequestFailure, request: ModelRequest) -> None:
        """Raise if the request failed because a conversation or vector store is gone."""
        named = {
            request.conversation_id: "conversation",
            request.vector_store_id: "vector store",
        }
        for ident, kind in named.items():
            if ident and isinstance(error, StatusFailure) and ident in str(error):
                with self._connection.errors(missing(kind, ident)):
                    raise error

    def _raise(self, error: RequestFailure, model: str | None) -> NoReturn:
        known = translate_error(error, self._endpoint, model)
        # Not `OverLimit`: the time for an answer is used up, and a second attempt would double it.
        if isinstance(error, StatusFailure | ConnectionFailure):
            known.transient = wait_before_retry(error, 0) is not None
        if isinstance(error, StatusFailure):
            known.retry_after = retry_after(error.response.headers)
            known.unready = error.status_code == _UNREADY
        raise known from error


def _events(response: Response, chunks: Iterator[bytes]) -> Iterator[Event]:
    """The events of an answer; see `answer_events`.

    Raises:
        NoAnswer: the connection was lost.
    """
    try:
        yield from answer_events(response, chunks)
    except ConnectionFailure as error:
        raise broken_off("the connection was lost") from error


def _read_to_end(chunks: Iterator[bytes], deadline: Deadline) -> None:
    """Read what follows the last event of a stream, so that its connection can be used again.

    A server that doesn't end the response soon gets a new connection for the next request.
    """
    deadline.end_within(_END)
    with contextlib.suppress(RequestFailure):
        for _ in chunks:
            pass


def _is_null(response: Response) -> bool:
    """Whether a response is `null`: open-responses-server only answers where it may stream."""
    return response.headers.get("content-length") == "4" and response.read() == b"null"
