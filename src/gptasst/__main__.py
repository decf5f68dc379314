"""The command `gptasst`. What must be instant is answered before anything heavy is imported."""

from __future__ import annotations

import sys

# Names, not values: type checkers know what they stand for, and nothing is imported.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_STOPPED = (130, 143)  # by Ctrl-C, by SIGTERM


def main() -> None:
    """Run the command line and exit with its code."""
    words = sys.argv[1:]
    if words == ["--version"]:
        from gptasst import __version__

        print(f"gptasst {__version__}")  # noqa: T201  # answered before there is an output sink
        return
    if words[:1] == ["__complete"]:
        from gptasst.completion import answer

        answer(words[1:])
        return
    import gc

    # Imports make hundreds of thousands of objects that stay: looking through them again and
    # again for garbage took a tenth of the time until a command began.
    gc.set_threshold(100_000, 50, 100)
    from gptasst.cli.app import app

    try:
        app(prog_name="gptasst")
    except SystemExit as ended:
        if ended.code in _STOPPED:
            _leave_at_once(int(ended.code))
        raise


def _leave_at_once(code: int) -> NoReturn:
    """End without waiting for threads whose server says nothing."""
    import contextlib
    import os

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
