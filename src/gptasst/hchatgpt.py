"""The functions of the older module that gptasst replaces, with the same names and meanings.

`import helpers.hchatgpt as hchatgp` becomes `import gptasst.hchatgpt as hchatgp`. A thread is a
conversation, and a run is a response that a thread of this process waits for. Differences:

- Paths are relative to the working directory, not to the root of a repository.
- An assistant has any number of knowledge files, instead of 20 at most.
- The messages of a thread stay in this process until the thread is run.
- A file of a message is read from this disk; its id works while its content is still here.
- Failures are raised as errors of `gptasst`.
- Files that count as secret (`.env`, private keys) are refused without `allow_secrets=True`.
"""

from __future__ import annotations

import atexit
import secrets
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from gptasst.assistants.types import AssistantSummary
from gptasst.client import Client
from gptasst.errors import InvalidInput, NotFound, UsageError
from gptasst.project_files.types import FileEntry
from gptasst.runs.types import RunResult
from gptasst.values import dataclass

_lock = threading.RLock()
_client: Client | None = None
_messages: defaultdict[str, list[_Message]] = defaultdict(list)
_runs: dict[str, Future[RunResult]] = {}


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class TextContent:
    text: Text
    type: str = "text"


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """A message of a thread: `role` is `user` or `assistant`, its text `content[0].text.value`."""

    role: str
    content: tuple[TextContent, ...]


@dataclass(frozen=True, slots=True)
class _Message:
    content: str
    files: tuple[str, ...]
    allow_secrets: bool


def use_client(client: Client | None) -> None:
    """Use this client in all functions; `None`: a client with default settings, as at the start.

    Examples:
        >>> use_client(gptasst.Client(model="gpt-6.2-sol"))
    """
    global _client  # noqa: PLW0603  # the module is the interface
    with _lock:
        _client = client


def _get_client() -> Client:
    with _lock:
        if _client is None:
            made = Client()
            atexit.register(made.close)
            use_client(made)
        assert _client is not None
        return _client


# Assistants


def create_assistant(
    assistant_name: str,
    instructions: str,
    *,
    model: str = "",
    use_retrieval: bool = True,
    use_code_interpreter: bool | None = None,
    use_function: Mapping[str, object] | None = None,
) -> str:
    """Create an assistant and return its id.

    Args:
        assistant_name: a name that no other assistant has.
        instructions: the instructions for the model.
        model: the profile's when empty.
        use_retrieval: search the knowledge in each run.
        use_code_interpreter: let it run Python on the server; `None`: unless the server is known
            to lack that.
        use_function: not supported.

    Raises:
        UsageError: the name is taken, or a function is given.

    Examples:
        >>> create_assistant("Linter", "Correct the text.") == get_assistant_id_by_name("Linter")
        True
    """
    if use_function:
        raise UsageError("assistants can't call your functions")
    client = _get_client()
    if use_code_interpreter is None:
        capabilities = client._context.capabilities  # noqa: SLF001  # of the same library
        lacks = client.profile.embedded or capabilities.lacks(["code interpreter"])
        use_code_interpreter = not lacks
    made = client.assistants.create(
        assistant_name,
        instructions=instructions,
        model=model or None,
        file_search=None if use_retrieval else False,
        code_interpreter=use_code_interpreter,
    )
    return made.assistant.id


def update_assistant_by_id(
    assistant_id: str,
    *,
    instructions: str = "",
    name: str = "",
    tools: Sequence[Mapping[str, str]] | None = None,
    model: str = "",
    file_ids: Sequence[str] | None = None,
    allow_secrets: bool = False,
) -> str:
    """Change an assistant and return its id. Empty arguments change nothing.

    Args:
        assistant_id: the assistant.
        instructions: the instructions for the model.
        name: a new name.
        tools: all its tools, as `[{"type": "retrieval"}, {"type": "code_interpreter"}]`.
        model: a new model.
        file_ids: uploaded files that become its whole knowledge.
        allow_secrets: accept files that look secret.

    Raises:
        InvalidInput: the content of a file id is not on this disk.

    Examples:
        >>> changed = update_assistant_by_id(assistant_id, name="W", tools=[{"type": "retrieval"}])
        >>> get_all_assistant_names()
        ['W']
    """
    kinds = {tool.get("type") for tool in tools or ()}
    updated = _get_client().assistants.update(
        assistant_id,
        rename=name or None,
        files=[_path_of(file_id) for file_id in file_ids] if file_ids else None,
        allow_secrets=allow_secrets,
        instructions=instructions or None,
        model=model or None,
        file_search=bool(kinds & {"retrieval", "file_search"}) if tools else None,
        code_interpreter="code_interpreter" in kinds if tools else None,
    )
    return updated.assistant.id


def delete_assistant_by_id(assistant_id: str) -> None:
    """Delete an assistant.

    Examples:
        >>> delete_assistant_by_id(assistant_id)
    """
    _get_client().assistants.delete(assistant_id)


def get_all_assistants() -> list[AssistantSummary]:
    """A summary of every assistant, sorted by name.

    Examples:
        >>> get_all_assistants()[0].files
        1
    """
    return list(_get_client().assistants.list())


def get_all_assistant_names() -> list[str]:
    """The names of all assistants.

    Examples:
        >>> get_all_assistant_names()
        ['DocWriter-1']
    """
    return [assistant.name for assistant in get_all_assistants()]


def get_assistant_id_by_name(assistant_name: str) -> str:
    """An assistant's id.

    Raises:
        NotFound: there is no assistant of that name.

    Examples:
        >>> get_assistant_id_by_name("DocWriter-1") == assistant_id
        True
    """
    return _get_client().assistants.get(assistant_name).id


# Files


def upload_to_gpt(path_from_root: str, *, allow_secrets: bool = False) -> str:
    """Upload a file, unless its content is on the server already, and return its id.

    Examples:
        >>> upload_to_gpt("guide.md") == get_gpt_id("guide.md")
        True
    """
    outcome = _get_client().files.upload(Path(path_from_root), allow_secrets=allow_secrets)
    if outcome.failed:
        raise InvalidInput(outcome.failed[0].reason)
    file_id = outcome.files[0].id
    assert file_id is not None
    return file_id


def remove_from_gpt(path_from_root: str) -> None:
    """Delete a file's content from the server, which removes it from every assistant.

    Examples:
        >>> remove_from_gpt("style.md")
    """
    _get_client().files.delete(path_from_root)


def get_gpt_id(path_from_root: str, *, allow_secrets: bool = False) -> str:
    """The id of a file on the server. The file is uploaded if it is missing.

    Examples:
        >>> get_gpt_id("style.md") == get_gpt_file_from_path("style.md").id
        True
    """
    return upload_to_gpt(path_from_root, allow_secrets=allow_secrets)


def get_gpt_file_from_id(gpt_id: str) -> FileEntry:
    """A file on the server, by its id.

    Raises:
        NotFound: there is none.

    Examples:
        >>> get_gpt_file_from_id(get_gpt_id("style.md")).filename
        'style.md'
    """
    return _get_client().files.get(gpt_id)


def get_gpt_file_from_path(path_from_root: str, *, allow_secrets: bool = False) -> FileEntry:
    """A file on the server, by its local path. The file is uploaded if it is missing.

    Examples:
        >>> get_gpt_file_from_path("style.md").size
        17
    """
    return get_gpt_file_from_id(get_gpt_id(path_from_root, allow_secrets=allow_secrets))


def _path_of(file_id: str) -> str:
    """The local path of an uploaded file's content, which can't be downloaded."""
    paths = get_gpt_file_from_id(file_id).paths
    if not paths:
        raise InvalidInput(f"the content of `{file_id}` is not on this disk", hint="give its path")
    return paths[0]


# The knowledge of an assistant


def set_assistant_files_by_name(
    assistant_name: str, file_path_list: Sequence[str], *, allow_secrets: bool = False
) -> str:
    """Replace the knowledge of an assistant with these files; return the assistant's id.

    Examples:
        >>> set_assistant_files_by_name("DocWriter-1", ["guide.md"]) == assistant_id
        True
    """
    assistants = _get_client().assistants
    changed = assistants.set_files(assistant_name, file_path_list, allow_secrets=allow_secrets)
    return changed.assistant.id


def add_files_to_assistant_by_name(
    assistant_name: str, file_path_list: Sequence[str], *, allow_secrets: bool = False
) -> str:
    """Add files to an assistant's knowledge; return the assistant's id.

    Examples:
        >>> add_files_to_assistant_by_name("DocWriter-1", ["guide.md"]) == assistant_id
        True
    """
    assistants = _get_client().assistants
    changed = assistants.add_files(assistant_name, file_path_list, allow_secrets=allow_secrets)
    return changed.assistant.id


def delete_file_from_assistant_by_id(assistant_id: str, file_id: str) -> None:
    """Remove a file from an assistant's knowledge.

    Examples:
        >>> delete_file_from_assistant_by_id(assistant_id, get_gpt_id("style.md"))
    """
    _get_client().assistants.remove_files(assistant_id, file_id)


def delete_file_from_assistant_by_name(assistant_name: str, file_path: str) -> None:
    """Remove a file from an assistant's knowledge, by its path.

    Examples:
        >>> delete_file_from_assistant_by_name("DocWriter-1", "style.md")
    """
    _get_client().assistants.remove_files(assistant_name, file_path)


# Threads and runs


def create_thread() -> str:
    """Start a conversation and return its id.

    Examples:
        >>> thread_id = create_thread()
    """
    return _get_client().conversations.start().id


def create_message_on_thread(
    thread_id: str, content: str, file_ids: Sequence[str], *, allow_secrets: bool = False
) -> str:
    """Add a message with uploaded files to a thread, for its next run; return the message's id.

    Raises:
        InvalidInput: the content of a file id is not on this disk.

    Examples:
        >>> file_id = get_gpt_id("guide.md")
        >>> message_id = create_message_on_thread(create_thread(), "Lint this.", [file_id])
    """
    paths = [_path_of(file_id) for file_id in file_ids or ()]
    return create_message_on_thread_with_file_names(
        thread_id, content, paths, allow_secrets=allow_secrets
    )


def create_message_on_thread_with_file_names(
    thread_id: str, content: str, file_names: Sequence[str], *, allow_secrets: bool = False
) -> str:
    """Add a message with files to a thread, for its next run; return the message's id.

    The files are only used in this conversation.

    Examples:
        >>> message_id = create_message_on_thread_with_file_names(
        ...     create_thread(), "Lint this.", ["guide.md"]
        ... )
    """
    with _lock:
        message = _Message(content, tuple(file_names or ()), allow_secrets)
        _messages[thread_id].append(message)
    return f"msg_{secrets.token_hex(12)}"


def run_thread_on_assistant(
    assistant_id: str,
    thread_id: str,
    model: str = "",
    *,
    vars: Mapping[str, str] | None = None,
) -> str:
    """Start a run: an assistant answers the messages of a thread. Return the run's id at once.

    The run is a thread of this process, and the process waits for it before it ends. After a
    failure the messages stay for another run. `vars` are the values of the assistant's variables.

    Raises:
        UsageError: there is no message since the last run.

    Examples:
        >>> thread_id = create_thread()
        >>> _ = create_message_on_thread(thread_id, "Describe it.", [])
        >>> run_id = run_thread_on_assistant(assistant_id, thread_id, model="gpt-6.2-sol")
    """
    with _lock:
        waiting = _messages.pop(thread_id, [])
    if not waiting:
        raise UsageError(f"thread `{thread_id}` has no unanswered message")
    run = _get_client().submit(
        assistant_id,
        [path for message in waiting for path in message.files],
        text="\n\n".join(message.content for message in waiting if message.content) or None,
        model=model or None,
        allow_secrets=all(message.allow_secrets for message in waiting),
        conversation=thread_id,
        vars=vars,
    )

    def keep_after_failure(done: Future[RunResult]) -> None:
        if done.exception() is not None:
            with _lock:
                _messages[thread_id][:0] = waiting

    run.add_done_callback(keep_after_failure)
    run_id = f"run_{secrets.token_hex(12)}"
    with _lock:
        _runs[run_id] = run
    return run_id


def run_thread_on_assistant_by_name(
    assistant_name: str,
    thread_id: str,
    model: str = "",
    *,
    vars: Mapping[str, str] | None = None,
) -> str:
    """The same as `run_thread_on_assistant`, by the assistant's name.

    Examples:
        >>> thread_id = create_thread()
        >>> _ = create_message_on_thread(thread_id, "Describe it.", [])
        >>> run_id = run_thread_on_assistant_by_name("DocWriter-1", thread_id)
    """
    return run_thread_on_assistant(assistant_name, thread_id, model, vars=vars)


def wait_for_run_result(thread_id: str, run_id: str, timeout: float = 180) -> list[ThreadMessage]:
    """Wait for a run, and return the thread's messages, newest first.

    Args:
        thread_id: the thread of the run.
        run_id: a run that was started in this process.
        timeout: in seconds.

    Raises:
        TimeoutError: the time is over. The run continues; wait again.
        NotFound: no such run was started in this process.
        GptasstError: the error of the run.

    Examples:
        >>> thread_id = create_thread()
        >>> _ = create_message_on_thread(thread_id, "Describe it.", [])
        >>> run_id = run_thread_on_assistant_by_name("DocWriter-1", thread_id)
        >>> wait_for_run_result(thread_id, run_id)[0].content[0].text.value
        '# A guide'
    """
    run = _runs.get(run_id)
    if run is None:
        raise NotFound(f"no run `{run_id}` began in this process")
    try:
        run.result(timeout)
    except TimeoutError:
        raise TimeoutError(f"no answer of run `{run_id}` within {timeout:g} s") from None
    said = _get_client().conversations.get(thread_id).messages
    return [
        ThreadMessage(message.role, (TextContent(Text(message.text)),))
        for message in reversed(said)
    ]


def _waits_for_stdin() -> None:
    sys.stderr.write("waiting for the end of standard input; `< /dev/null` gives none\n")


def e2e_assistant_runner(  # noqa: PLR0913  # they are what people give it
    assistant_name: str,
    user_input: str = "",
    *,
    model: str = "",
    input_file_names: Sequence[str] | None = None,
    output_file_path: str = "",
    vim_mode: bool = False,
    allow_secrets: bool = False,
    vars: Mapping[str, str] | None = None,
) -> str:
    """Run an assistant with a task and files, and return its answer. Nothing stays on the server.

    Args:
        assistant_name: an assistant, or an instruction.
        user_input: the task.
        model: the model for this run, instead of the assistant's own.
        input_file_names: the input files.
        output_file_path: the file for the answer, written completely or not at all; without one
            the answer is also printed to stdout.
        vim_mode: read the task from stdin, and always print the answer to stdout. Reading must
            end within the profile's timeout; the task may be as large as a request.
        allow_secrets: accept files and tasks that look secret.
        vars: the values of the assistant's variables.

    Examples:
        >>> e2e_assistant_runner("DocWriter-1", "Describe it.", output_file_path="out.md")
        '# A guide'
    """
    from gptasst.inputs.encoding import decode_text
    from gptasst.inputs.reading import read_standard_input
    from gptasst.inputs.screening import STDIN, Screening
    from gptasst.storage.atomic_files import check_output, replace_file

    target = Path(output_file_path) if output_file_path else None
    if target is not None:
        check_output(target)
    if vim_mode:
        Screening(allow_secrets=allow_secrets).refuse_file(STDIN)
    client = _get_client()
    text = user_input
    if vim_mode:
        content = read_standard_input(client.profile.timeout, _waits_for_stdin)
        text = decode_text(content, "stdin")[0]
    result = client.run(
        assistant_name,
        input_file_names or (),
        text=text or None,
        model=model or None,
        allow_secrets=allow_secrets,
        vars=vars,
    )
    if vim_mode or target is None:
        sys.stdout.write(result.answer)
    if target is not None:
        replace_file(target, result.answer.encode("utf-8"))
    return result.answer
