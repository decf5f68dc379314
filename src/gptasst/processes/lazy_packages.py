"""Packages of somebody else whose modules are imported when they are asked for.

What Python 3.15 does by itself where it is told to (PEP 810), for packages that only gather names:
`from .file_object import FileObject as FileObject`, a hundred times.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec

    # Where names come from: a module, as `.file_object`, and its name for it.
    Origins = Mapping[str, tuple[str, str]]
else:
    Loader = object  # a duck; `importlib.abc` imports `tempfile` and more


def import_lazily(package: str) -> None:
    """Do so with a package that is not imported yet, and with those in it.

    It is for a whole process, so for a program's entry point and not for a library.
    """
    sys.meta_path.insert(0, _Finder(package))


class _Finder:
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not f"{fullname}.".startswith(f"{self._package}."):
            return None
        from importlib.machinery import PathFinder, SourceFileLoader

        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.submodule_search_locations and isinstance(spec.loader, SourceFileLoader):
            origins = _gathered(spec.loader.get_source(fullname) or "")
            if origins is not None:
                spec.loader = _Loader(origins)
        return spec


def _gathered(source: str) -> Origins | None:
    """The names that a package takes from its modules; `None` if that is not all it does."""
    import ast

    origins = {}
    for statement in ast.parse(source).body:
        if not isinstance(statement, ast.ImportFrom):
            return None
        if statement.module == "__future__":
            continue
        for alias in statement.names:
            name = alias.asname or alias.name
            if statement.level != 1 or name in (statement.module, "*"):
                return None  # a module of the same name would be taken for it
            origins[name] = (f".{statement.module or ''}", alias.name)
    return origins


class _Loader(Loader):
    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Package(spec.name, self._origins)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: what there is to import is imported when it is asked for."""


class _Package(ModuleType):
    def __init__(self, name: str, origins: Origins) -> None:
        super().__init__(name)
        self.__origins = origins
        self.__all__ = list(origins)

    def __getattr__(self, name: str) -> object:
        if name not in self.__origins:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module, its_name = self.__origins[name]
        found = getattr(import_module(module, self.__name__), its_name)
        setattr(self, name, found)
        return found
