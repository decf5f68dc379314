"""Start other programs without influence from files in the working directory."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from gptasst.processes.import_path import absolute_python_path

# Variables that make installers look for project configuration elsewhere.
_OTHER_DIRECTORIES = ("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY")


def find_program(name: str) -> str | None:
    """The path of a program, from the absolute directories of `PATH`.

    An absolute path is returned unchanged.
    """
    if os.path.dirname(name):
        return shutil.which(name) if os.path.isabs(name) else None
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        # With its directory, because Windows looks for bare names in the working directory first.
        found = os.path.isabs(directory) and shutil.which(os.path.join(directory, name))
        if found:
            return found
    return None


def neutral_directory() -> str:
    """A working directory in which programs find nothing: a file system's root.

    Installers also look for configuration in all parent directories, which a new one would have.
    """
    return os.path.splitdrive(sys.base_prefix)[0] + os.sep


def neutral_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for such a program, without modules or projects of the working directory."""
    kept = {name: value for name, value in environ.items() if name not in _OTHER_DIRECTORIES}
    path = absolute_python_path()
    kept.pop("PYTHONPATH", None)
    return {**kept, "PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": path} if path else {})
