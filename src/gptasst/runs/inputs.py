"""From files, text and excerpts to the parts of a message."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from gptasst.api.types import FilePart, ModelRequest, PastMessage, TextPart
from gptasst.config.profile import Profile
from gptasst.definitions.types import Definition
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.encoding import is_guessed
from gptasst.inputs.reading import TEXT_ONLY_TYPES, InputFile, read_input
from gptasst.inputs.screening import SCREENED, Screening, refusal, secret_error
from gptasst.knowledge.types import Excerpt
from gptasst.runs.types import PlannedInput, RunRequest

if TYPE_CHECKING:
    from gptasst.api.types import ModelAnswer, TextDelta
    from gptasst.knowledge.question import Question
    from gptasst.models.service import ModelSource

# Base64 makes a request a third larger; from here on an upload of its own is the better way.
INLINE_BYTES = 8_000_000
# Per request: input text <= 10,485,760 characters, input files < 50 MB in total.
_MAX_CHARACTERS = 10_485_760
_MAX_FILE_BYTES = 50_000_000


STDIN_NAME = "stdin"  # the name of standard input in a request


def read_inputs(
    words: Sequence[str],
    note: Callable[[str], None],
    *,
    screening: Screening = SCREENED,
    failed: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    encoding: str | None = None,
) -> tuple[InputFile, ...]:
    """Read the files that command-line words match, in order.

    Args:
        words: file names, patterns, directories.
        note: called when an encoding was guessed.
        screening: the check for secrets.
        encoding: the encoding of text files, if it was given.
        failed: called for unreadable directories, instead of `warn`.
        warn: called for files that are skipped as secret or outside of the tree, and for named
            pipes that have to be waited for, instead of `note`.

    Raises:
        InvalidInput: one of them can't be used.
    """
    screened = screening.files(words)
    screened.tell(warn or note, failed)
    files = tuple(read_input(path, encoding, warn or note) for path in screened.paths)
    for file in files:
        if is_guessed(file.encoding):
            note(f"`{file.path}` was read as {file.encoding}")
    return files


def refuse_secrets(request: RunRequest) -> None:
    """Raise if anything that is about to be sent looks secret.

    Most files were checked before, see `Screening.files`. This checks their contents as read, text
    that was typed or piped in, and earlier messages.

    Raises:
        InvalidInput: there is a secret, and secrets are not allowed.
    """
    screening = request.screening
    found = {
        "the text": screening.of_text(request.text),
        "standard input": screening.of_text(request.stdin),
    }
    for name, value in request.variables.items():
        found[f"the variable `{name}`"] = screening.of_text(value)
    for file in request.files:
        found[file.path] = screening.of_name(Path(file.path)) or _secret_in(file, screening)
    said = (part for message in request.past for part in message.parts)
    found["what was said before"] = next(
        filter(None, (_secret_in(part, screening) for part in said)), None
    )
    for called, reason in found.items():
        if reason:
            raise secret_error(refusal(called, reason))


def _secret_in(given: InputFile | TextPart | FilePart, screening: Screening) -> str | None:
    if isinstance(given, TextPart):
        return screening.of_text(given.text)
    if given.data is not None:
        return screening.of_content(given.data)
    return screening.of_text(given.text) if isinstance(given, InputFile) else None


def message_parts(
    task: str | None,
    request: RunRequest,
    excerpts: Sequence[Excerpt],
    *,
    small_model: bool = False,
) -> tuple[TextPart | FilePart, ...]:
    """The parts of a run's message: the task, excerpts of knowledge, then the inputs.

    A small model uses a text only if it comes first, without tags, and the task refers to it. Of
    eight questions SmolLM2-135M then answered six from it, and else three.
    """
    if small_model and task and excerpts and not request.files and request.stdin is None:
        asked = f"Answer from the text above. {task}"
        return (*(TextPart(each.text) for each in excerpts), TextPart(asked))
    texts = [task] if task else []
    texts += map(tagged_excerpt, excerpts)
    if request.stdin is not None:
        texts.append(tagged_file(STDIN_NAME, request.stdin))
    parts: list[TextPart | FilePart] = [TextPart(text) for text in texts]
    parts += [_file_part(file) for file in request.files]
    return tuple(parts)


def tagged_excerpt(excerpt: Excerpt) -> str:
    """A passage in the form sent to a model."""
    return _tagged("excerpt", excerpt.text, source=excerpt.path, place=excerpt.place)


def tagged_file(path: str, text: str) -> str:
    """A text in the form sent to a model."""
    return _tagged("file", text, path=path)


def file_tag(path: str) -> str:
    """The opening tag of an input in a request."""
    return _opening("file", path=path)


def _opening(tag: str, **attributes: str) -> str:
    import html

    named = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<{tag}{named}>"


def _tagged(tag: str, text: str, **attributes: str) -> str:
    end = "" if text.endswith("\n") else "\n"
    return f"{_opening(tag, **attributes)}\n{text}{end}</{tag}>"


def _file_part(file: InputFile) -> TextPart | FilePart:
    if file.kind == "text":
        assert file.text is not None
        return TextPart(tagged_file(file.path, file.text))
    return FilePart(file.kind, file.path.replace("\\", "/"), file.media_type, data=file.data)


def planned_inputs(request: RunRequest) -> tuple[PlannedInput, ...]:
    planned = [PlannedInput(f.path, f.kind, f.size, _sent_as(f)) for f in request.files]
    if request.stdin is not None:
        planned.insert(0, PlannedInput("stdin", "text", len(request.stdin.encode()), "text"))
    return tuple(planned)


def _sent_as(file: InputFile) -> Literal["text", "inline", "upload"]:
    if file.kind == "text":
        return "text"
    return "upload" if file.size > INLINE_BYTES else "inline"


def refuse_what_is_not_taken(request: RunRequest, profile: Profile) -> None:
    """Raise for inputs that an endpoint does not support, before anything is sent.

    Raises:
        InvalidInput: with the file, the endpoint and a remedy.
    """
    for file in request.files:
        taken = {"text": True, "document": profile.input_file, "image": profile.input_image}
        if not taken[file.kind]:
            raise InvalidInput(
                f"`{file.path}` is {_a(file)}, which {profile.endpoint} does not take",
                hint=_way_out(file, profile),
                code="input_not_taken",
            )
    binary = sum(file.size for file in request.files if file.kind != "text")
    if binary > _MAX_FILE_BYTES:
        raise InvalidInput(
            f"documents and images are {binary:,} bytes together,"
            f" a request takes {_MAX_FILE_BYTES:,}",
            hint="send fewer at a time",
            code="too_large",
        )


def _a(file: InputFile) -> str:
    return "an image" if file.kind == "image" else f"a {file.path.rpartition('.')[2]} document"


def _way_out(file: InputFile, profile: Profile) -> str:
    if file.path.lower().endswith(".pdf"):
        return "an assistant takes PDF files as knowledge; --profile openai takes them as input"
    if profile.embedded or file.kind == "image":
        return "--profile openai takes it"
    return f"if the server does take it: `input_file = true` in [profiles.{profile.name}]"


def refuse_too_long(characters: int) -> None:
    """Raise if text is too long for any endpoint."""
    if characters > _MAX_CHARACTERS:
        raise InvalidInput(
            f"the text is {characters:,} characters, a request takes {_MAX_CHARACTERS:,}",
            hint="send fewer files at a time, or add them to an assistant as knowledge",
            code="too_long",
        )


def text_characters(parts: Sequence[TextPart | FilePart]) -> int:
    return sum(len(part.text) for part in parts if isinstance(part, TextPart))


def estimated_tokens(characters: int) -> int:
    """The approximate number of tokens of a text: four characters each, as in English prose."""
    return math.ceil(characters / 4)


def task_of(
    request: RunRequest, definition: Definition, *, task_is_whole: bool = False
) -> str | None:
    """The task: the user's, or else the definition's own if there is input.

    Args:
        request: the run.
        definition: what it asks; its variables have their values.
        task_is_whole: its task needs no input, see `asks_for_its_input`.

    Raises:
        UsageError: there is nothing to work on.
    """
    if request.stdin is not None and not request.stdin.strip():
        raise InvalidInput("standard input is empty", code="empty_input")
    if request.text and request.text.strip():
        return request.text
    if request.files or request.stdin is not None or task_is_whole:
        return definition.default_text
    raise UsageError(
        "there is nothing to work on",
        hint="give files (-f FILE…), a text (-t TEXT), or pipe something in",
        code="no_input",
    )


def asks_for_its_input(definition: Definition) -> bool:
    """Whether a required variable stands in the task: whoever gave that gave something to do."""
    task = definition.default_text or ""
    return any(each.required and f"{{{{{each.name}}}}}" in task for each in definition.variables)


class Gateway(Protocol):
    """What a run needs of an endpoint; `OpenAIGateway` is one."""

    def stream(self, request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]: ...
    def upload_input(self, part: FilePart) -> FilePart: ...
    def delete_file(self, file_id: str) -> None: ...
    def context_window(self, model: str) -> int | None: ...
    def count_input(self, request: ModelRequest) -> int | None: ...
    @property
    def models(self) -> ModelSource: ...


class OpenGateway(Protocol):
    """Opens the connection when it is first called.

    Then `at_once` is the most requests that will be under way, which the embedded model makes room
    for.
    """

    def __call__(self, at_once: int = 1) -> Gateway: ...


class UploadGateway(Protocol):
    """Uploads a part's data; the returned part has the file's id instead."""

    def upload_input(self, part: FilePart) -> FilePart: ...


def with_uploads(
    gateway: UploadGateway, request: ModelRequest, uploaded: list[str]
) -> ModelRequest:
    """A request with its large files uploaded; their ids are added to `uploaded`."""
    past = [
        replace(message, parts=tuple(_upload_large(gateway, p, uploaded) for p in message.parts))
        for message in request.past
    ]
    parts = tuple(_upload_large(gateway, part, uploaded) for part in request.parts)
    return replace(request, past=tuple(past), parts=parts)


def _upload_large(
    gateway: UploadGateway, part: TextPart | FilePart, uploaded: list[str]
) -> TextPart | FilePart:
    if isinstance(part, TextPart) or part.data is None or len(part.data) <= INLINE_BYTES:
        return part
    sent = gateway.upload_input(part)
    assert sent.file_id is not None
    uploaded.append(sent.file_id)
    return sent


def is_sent_as_text(file: InputFile, *, takes_documents: bool) -> bool:
    """Whether a file is a document whose text is sent instead."""
    if file.kind != "document":
        return False
    from gptasst.knowledge.formats import is_document

    only_text = Path(file.path).suffix.lower() in TEXT_ONLY_TYPES
    return is_document(file.path) and (not takes_documents or only_text)


def documents_as_text(request: RunRequest, profile: Profile) -> tuple[RunRequest, tuple[str, ...]]:
    """A request with its documents as text, if the endpoint does not support documents.

    Returns the request, and notes: which documents were sent as text, and what could not be
    read.

    Raises:
        InvalidInput: a document can't be read, or has no text.
    """
    files, notes = [], []
    for file in request.files:
        if is_sent_as_text(file, takes_documents=profile.input_file):
            text, found = _text(file)
            files.append(replace(file, kind="text", text=text, data=None, media_type="text/plain"))
            missing = "".join(f"; {note}" for note in found)
            reason = f"`{file.path}` is sent as text, as {profile.endpoint} takes no such documents"
            notes.append(reason + missing)
        else:
            files.append(file)
    return (replace(request, files=tuple(files)), tuple(notes)) if notes else (request, ())


def _text(file: InputFile) -> tuple[str, tuple[str, ...]]:
    from gptasst.knowledge.formats import read_document

    assert file.data is not None
    document = read_document(file.data, file.path)
    return document.text + "\n", document.notes


_TURNS = 3  # earlier turns that are part of a search


def question_of(request: RunRequest, task: str | None) -> Question:
    """The search of a run in the knowledge; the current task has precedence."""
    from gptasst.knowledge.question import Question

    inputs = (request.stdin, *(file.text for file in request.files))
    asked = [message.parts for message in request.past if message.role == "user"]
    turns = [part.text for parts in asked[-_TURNS:] for part in parts if isinstance(part, TextPart)]
    return Question(task or "", tuple(turns), tuple(text for text in inputs if text))


# The least characters per token, in most texts.
_SURE_CHARACTERS = 3


def newest_that_fit(
    past: tuple[PastMessage, ...], context: int, taken: int
) -> tuple[PastMessage, ...]:
    """The newest turns that fit in a context.

    Args:
        past: all messages, oldest first; a question and its answer stay together.
        context: the context size in tokens.
        taken: characters of everything else in the context.
    """
    left = context * _SURE_CHARACTERS - taken
    start = len(past)
    while start >= 2:
        left -= sum(text_characters(message.parts) for message in past[start - 2 : start])
        if left < 0:
            break
        start -= 2
    return past[start:]
