"""Starting other programs: what lies in the working directory has no say in it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from gptasst.processes.import_path import absolute_python_path

# Where installers look for the configuration of a project in place of the working directory.
_OTHER_DIRECTORIES = ("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY")


def find_program(name: str) -> str | None:
    """The path of a program, from those directories of `PATH` that do not depend on this one.

    A name with a directory is itself where that is absolute.
    """
    if os.path.dirname(name):
        return shutil.which(name) if os.path.isabs(name) else None
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        # With its directory, as Windows would look for a bare name here first.
        found = os.path.isabs(directory) and shutil.which(os.path.join(directory, name))
        if found:
            return found
    return None


def neutral_directory() -> str:
    """A working directory for programs that must not find anything in it: a file system's top.

    Installers look for configuration in all directories above, which a new one would have, too.
    """
    return os.path.splitdrive(sys.base_prefix)[0] + os.sep


def neutral_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for such a program: no module and no project of the working directory."""
    kept = {name: value for name, value in environ.items() if name not in _OTHER_DIRECTORIES}
    path = absolute_python_path()
    kept.pop("PYTHONPATH", None)
    return {**kept, "PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": path} if path else {})
