"""`gptasst assistant files sync --watch`: knowledge that follows its files."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from gptasst.cli.output import Output, count_text
from gptasst.errors import InvalidInput, LimitReached, PartlyDone, ServiceError

if TYPE_CHECKING:
    from gptasst.assistants.types import Assistant
    from gptasst.inputs.watching import Places

_FIRST_PAUSE = 2.0  # seconds after a failure; each further one doubles it
_LONGEST_PAUSE = 60.0
_ATTEMPTS = 3  # for files that the server did not take; a change of theirs begins anew
_FINAL = ("no_vector_stores", "no_endpoint", "bad_request", "redirected", "quota", "expired")

# Brings the knowledge into line with the files; the assistant as it is then.
Sync = Callable[[], "Assistant"]


def follow(output: Output, assistant: Assistant, sync: Sync) -> NoReturn:
    """Sync once, and whenever files change, until it is interrupted.

    What fails later may succeed later still: it is reported, and tried again.

    Args:
        output: for what is to be said.
        assistant: as it is before.
        sync: carried out in this thread.

    Raises:
        GptasstError: the first sync failed, or there is nothing to go on with.
    """
    from gptasst.assistants.watched import watched_places
    from gptasst.inputs.watching import ChangedFiles

    first = True
    while True:
        places = watched_places(assistant)
        with ChangedFiles(places) as changes:
            # Only now, so that no change falls between them.
            if first:
                assistant = _sync_first(output, assistant, sync)
                output.note(f"watching {_where(places)}; Ctrl-C ends it")
                first = False
            else:
                assistant = _sync_sometime(output, assistant, sync)
            while watched_places(assistant) == places:
                changes.wait()
                assistant = _sync_sometime(output, assistant, sync)


def _where(places: Places) -> str:
    count = len(places.trees) + len(places.directories)
    return "1 directory" if count == 1 else f"{count:,} directories"


def _sync_first(output: Output, assistant: Assistant, sync: Sync) -> Assistant:
    try:
        return sync()
    except PartlyDone as error:
        output.warn(error.message)
    return assistant


def _sync_sometime(output: Output, assistant: Assistant, sync: Sync) -> Assistant:
    """Sync, as often as it takes: a server that is down is up again one day."""
    pause, attempts = _FIRST_PAUSE, 0
    while True:
        attempts += 1
        try:
            return sync()
        except InvalidInput as error:  # files that can't be taken: their next change may help
            output.warn(error.message)
            return assistant
        except (ServiceError, LimitReached, PartlyDone) as error:
            if error.code in _FINAL:
                raise
            if isinstance(error, PartlyDone) and attempts == _ATTEMPTS:
                output.warn(error.message)
                return assistant
            seconds = error.retry_after or pause
            wait = count_text(math.ceil(seconds), "second")
            output.warn(f"{error.message}; trying again in {wait}")
            time.sleep(seconds)
            pause = min(2 * pause, _LONGEST_PAUSE)
