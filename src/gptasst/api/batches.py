"""Batches on the server, and the lines that go in and come out."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from gptasst.api.answers import whole_answer
from gptasst.api.connection import Connection, api_path, missing, read_json
from gptasst.api.context_windows import ContextWindows
from gptasst.api.errors import reading
from gptasst.api.events import Event
from gptasst.api.failures import words_in
from gptasst.api.files import CLOCK_SKEW, START, FileGateway, moment_or_start
from gptasst.api.requests import request_body
from gptasst.api.response_items import objects, text_metadata
from gptasst.api.types import Batch, BatchAnswer, ModelRequest
from gptasst.errors import GptasstError, ServiceError

_ENDPOINT: Literal["/v1/responses"] = "/v1/responses"
_PAGE = 100
_STOPPED = ("cancelling", "cancelled")
# The metadata key that finds a batch again when the response to its create request was lost.
_REQUEST = "request"
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]+)"')


class BatchGateway:
    """The batches of the project that the key belongs to."""

    def __init__(self, connection: Connection, files: FileGateway, windows: ContextWindows) -> None:
        self._connection = connection
        self._files = files
        self._windows = windows

    def line(self, custom_id: str, request: ModelRequest) -> bytes:
        """A request as a line of a batch's input file.

        Lines are processed in any order, so no line relies on the prompt cache of another.
        """
        body = request_body(replace(request, of_many=False), self._connection.endpoint)
        line = {"custom_id": custom_id, "method": "POST", "url": _ENDPOINT, "body": body}
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def create(self, input_file_id: str, metadata: Mapping[str, str]) -> Batch:
        """Submit a file of requests exactly once, even if the server's response is lost.

        Raises:
            NotFound: the server does not have the file.
        """
        nonce = secrets.token_hex(16)
        marked = {**metadata, _REQUEST: nonce}
        started = datetime.now(UTC).timestamp() - CLOCK_SKEW

        def send() -> Batch:
            made = self._connection.once.batches.with_raw_response.create(
                input_file_id=input_file_id,
                endpoint=_ENDPOINT,
                completion_window="24h",
                metadata=marked,
            )
            return self._batch(read_json(made.http_response))

        def find() -> Batch | None:
            for batch in self.list():
                if batch.metadata.get(_REQUEST) == nonce:
                    return batch
                if START.timestamp() < batch.created_at.timestamp() < started:
                    break
            return None

        return self._connection.create_once(send, find, missing("file", input_file_id))

    def list(self) -> Iterator[Batch]:
        """Every batch, newest first."""
        return self._connection.listed("/batches", self._batch, {"limit": _PAGE})

    def get(self, batch_id: str) -> Batch:
        """One batch.

        Raises:
            NotFound: there is none of that id.
        """
        with self._connection.errors(missing("batch", batch_id)):
            return self._batch(self._connection.get(api_path("batches", batch_id)))

    def cancel(self, batch_id: str) -> Batch:
        """Cancel a batch, unless it is cancelled already. Finished answers are kept and billed.

        Raises:
            NotFound: there is none of that id.
            ServiceError: the batch has already ended.
        """
        try:
            with self._connection.errors(missing("batch", batch_id)):
                batches = self._connection.client.batches.with_raw_response
                return self._batch(read_json(batches.cancel(batch_id).http_response))
        except ServiceError as error:
            batch = self.get(batch_id) if error.code == "bad_request" else None
            if batch and batch.status in _STOPPED:  # by this request, whose first response was lost
                return batch
            raise

    def answers(self, batch: Batch, model: str) -> Iterator[BatchAnswer]:
        """The results so far, in any order, read line by line."""
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                for line in self._files.lines(file_id):
                    answer = self._answer(line, model)
                    if answer:
                        yield answer

    def _answer(self, line: bytes, model: str) -> BatchAnswer | None:
        """The result in a line. An unreadable line affects no other; one without id is skipped."""
        try:
            return self._read_answer(line, model)
        except ServiceError:
            named = _CUSTOM_ID.search(line)
            unread = "the server's answer can't be read"
            return BatchAnswer(named[1].decode(), failure=unread) if named else None

    def _read_answer(self, line: bytes, model: str) -> BatchAnswer:
        endpoint = self._connection.endpoint
        with reading(endpoint):
            result = json.loads(line, object_hook=Event)
            custom_id, response = str(result["custom_id"]), result.response or Event()
            body = response.body
            if result.error or response.status_code != 200 or not isinstance(body, Event):
                failure = self._connection.masked(_failure(result.error, response))
                return BatchAnswer(custom_id, failure=failure)
        received: list[str] = []
        try:
            with reading(endpoint):
                answer = whole_answer(body, model, endpoint, self._windows.filled, received)
                return BatchAnswer(custom_id, answer)
        except GptasstError as refused:
            part = "".join(received) if refused.code == "incomplete" else None
            return BatchAnswer(custom_id, failure=refused.message, part=part or None)

    def _batch(self, batch: Any) -> Batch:
        counts = batch.request_counts if isinstance(batch.request_counts, Event) else Event()
        errors = batch.errors.data if isinstance(batch.errors, Event) else None
        return Batch(
            id=batch["id"],
            status=batch.status,
            created_at=moment_or_start(batch.created_at),
            metadata=text_metadata(batch.metadata),
            input_file_id=batch.input_file_id,
            output_file_id=batch.output_file_id,
            error_file_id=batch.error_file_id,
            requests=counts.total or 0,
            completed=counts.completed or 0,
            failed=counts.failed or 0,
            errors=tuple(self._connection.masked(_problem(error)) for error in objects(errors)),
        )


def _failure(error: Any, response: Mapping[str, Any]) -> str:
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        words = words_in(error) or "no reason given"
        return f"{words} ({code})" if code else words
    words = words_in(response.get("body")) or "no reason given"
    return f"{words} (HTTP {response.get('status_code')})"


def _problem(error: Any) -> str:
    place = f"line {error.line}: " if error.line is not None else ""
    return f"{place}{error.message or error.code or 'no reason given'}"
