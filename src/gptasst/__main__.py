"""The command `gptasst`. What must be instant is answered before anything heavy is imported."""

import sys

from gptasst.processes.import_path import leave_working_directory_out

_INTERRUPTED = 130


def program() -> None:
    """The installed command `gptasst`: `main`, and the end of the process.

    `python -m gptasst` ends as Python does, for profilers and debuggers.
    """
    leave_working_directory_out()
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    leave_at_once(code)


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: it has ended, with the exit code.
    """
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt:  # while the command line was imported
        sys.exit(_INTERRUPTED)


def _run(words: list[str]) -> None:
    if words == ["--version"] and _version_printed():
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

    app(prog_name="gptasst")


def _version_printed() -> bool:
    """Whether it was said here; the command line knows how to say that it can't be."""
    from gptasst import __version__

    if sys.stdout is None:
        return False
    try:
        print(f"gptasst {__version__}", flush=True)  # noqa: T201  # there is no output sink yet
    except OSError:
        return False
    return True


def leave_at_once(code: int) -> None:
    """End the process without taking everything apart, and without waiting for threads.

    Everything that was opened is closed. Python would go through all the modules of the SDK, which
    takes a tenth of a second, and wait for a thread whose server says nothing.
    """
    import atexit
    import os

    atexit._run_exitfuncs()  # noqa: SLF001  # there is no other name for it
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # there is no such stream
            continue
        except (OSError, ValueError):  # a full disk, or a pipe that was closed
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    leave_working_directory_out()
    main()
