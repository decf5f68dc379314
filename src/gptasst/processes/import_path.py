"""Keep the working directory out of the import path.

Only `os` and `sys` may be imported here, which Python loads before it searches any directory: any
other import may come from a stranger's repository.
"""

import os
import sys


def is_run_as_module() -> bool:
    """Whether this is the start of `python -m gptasst`, which puts the directory first."""
    words = getattr(sys, "argv", [])
    if words[:1] != ["-m"] or len(sys.orig_argv) < len(words):
        return False
    return sys.orig_argv[-len(words)].endswith(("gptasst", "gptasst.__main__"))


def leave_working_directory_out() -> None:
    """Remove the working directory, and relative entries of `PYTHONPATH`, from `sys.path`.

    The directory from which gptasst itself was imported stays.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    own = os.path.dirname(package)
    try:
        left_out = {"", os.getcwd(), *map(os.path.abspath, _relative(_python_path()))}
    except FileNotFoundError:  # the directory is gone
        left_out = {""}
    sys.path[:] = [place for place in sys.path if place == own or place not in left_out]


def absolute_python_path() -> str:
    """`PYTHONPATH` for another Python, without relative entries."""
    places = _python_path()
    relative = _relative(places)
    return os.pathsep.join(place for place in places if place not in relative)


def _python_path() -> list[str]:
    return os.environ.get("PYTHONPATH", "").split(os.pathsep)


def _relative(places: list[str]) -> list[str]:
    return [place for place in places if not os.path.isabs(place)]
