"""`dataclass`, as in `dataclasses`, without what that costs when a module is imported.

`dataclasses` writes and compiles up to six methods for each class: 0.5 ms a class, which was a
quarter of what a command like `assistant list` did. Here `__init__` is written when the first
object is made, and the other methods are the same for all classes: 0.05 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass

    __all__ = ["dataclass"]
else:
    import dataclasses
    from reprlib import recursive_repr

    def dataclass(*, slots, frozen=False):
        """As `dataclasses.dataclass`, for classes with slots and without `__post_init__`."""

        def decorate(cls):
            if not slots or hasattr(cls, "__post_init__"):
                raise TypeError(f"{cls.__name__}: only `dataclasses.dataclass` can do that")
            cls.__doc__ = cls.__doc__ or cls.__name__  # else it is made of the signature, slowly
            own = set(vars(cls))
            made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
            made.__init__ = _first_init(made)
            for kind in (_Changeable, _Frozen)[: 1 + frozen]:
                for name in kind.methods:
                    if name not in own:
                        setattr(made, name, vars(kind)[name])
            return made

        return decorate

    def _first_init(cls):
        """An `__init__` that puts another one in its place, which is called from then on."""

        def __init__(self, *args, **options):  # noqa: N807
            cls.__init__ = _written_init(cls)
            cls.__init__(self, *args, **options)

        return __init__

    def _written_init(cls):
        parameters, lines, known = ["self"], [], {"MISSING": dataclasses.MISSING}
        for field in dataclasses.fields(cls):
            name, value = field.name, field.name
            if field.default_factory is not dataclasses.MISSING:
                known[f"make_{name}"] = field.default_factory
                parameters.append(f"{name}=MISSING")
                value = f"make_{name}() if {name} is MISSING else {name}"
            elif field.default is not dataclasses.MISSING:
                known[f"default_{name}"] = field.default
                parameters.append(f"{name}=default_{name}")
            else:
                parameters.append(name)
            known[f"set_{name}"] = getattr(cls, name).__set__  # of the slot
            lines.append(f" set_{name}(self, {value})")
        exec("\n".join([f"def __init__({', '.join(parameters)}):", *lines, " return"]), known)  # noqa: S102
        known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
        return known["__init__"]

    def _compared(value):
        return tuple(getattr(value, f.name) for f in dataclasses.fields(value) if f.compare)

    class _Changeable:
        methods = ("__repr__", "__eq__", "__hash__")

        @recursive_repr()
        def __repr__(self):
            shown = (f for f in dataclasses.fields(self) if f.repr)
            parts = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in shown)
            return f"{type(self).__qualname__}({parts})"

        def __eq__(self, other):
            if type(other) is not type(self):
                return NotImplemented
            return _compared(self) == _compared(other)

        __hash__ = None

    class _Frozen:
        methods = ("__hash__", "__setattr__", "__delattr__", "__getstate__", "__setstate__")

        def __hash__(self):
            return hash(_compared(self))

        def __setattr__(self, name, value):
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name):
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

        def __getstate__(self):
            return [getattr(self, field.name) for field in dataclasses.fields(self)]

        def __setstate__(self, state):
            for field, value in zip(dataclasses.fields(self), state, strict=True):
                object.__setattr__(self, field.name, value)
