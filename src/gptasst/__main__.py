"""The command `gptasst`. The version and completion are answered before heavy imports."""

import sys

from gptasst.processes.import_path import leave_working_directory_out

_INTERRUPTED = 130


def program() -> None:
    """The installed command `gptasst`: run `main`, then end the process at once.

    `python -m gptasst` ends normally, for profilers and debuggers.
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
        SystemExit: at its end, with the exit code.
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

    # Imports create hundreds of thousands of long-lived objects. Scanning them for garbage took a
    # tenth of a command's start-up time.
    gc.set_threshold(100_000, 50, 100)
    from gptasst.cli.app import app

    app(prog_name="gptasst")


def _version_printed() -> bool:
    """Print the version; `False` if that failed, which the command line then reports."""
    from gptasst import __version__

    if sys.stdout is None:
        return False
    try:
        print(f"gptasst {__version__}", flush=True)  # noqa: T201  # there is no output sink yet
    except OSError:
        return False
    return True


def leave_at_once(code: int) -> None:
    """End the process without tearing down modules or waiting for threads.

    All files are closed before. Python itself would tear down every module of the SDK, which takes
    a tenth of a second, and would wait for threads whose servers don't respond.
    """
    import atexit
    import os

    atexit._run_exitfuncs()  # noqa: SLF001  # there is no other name for it
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # the stream does not exist
            continue
        except (OSError, ValueError):  # a full disk, or a closed pipe
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    leave_working_directory_out()
    main()
