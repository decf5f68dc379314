"""Which slot of the embedded model takes which request.

A slot of llama.cpp holds one prompt with its answer. Each has a context of its own, so that what
fits in a run alone fits beside others as well.
"""

from __future__ import annotations

import threading

_MOMENT = 0.5  # seconds


class Slot:
    """A slot: its number, the prefix that was loaded into it, its last use, and its thread."""

    __slots__ = ("loaded", "number", "taken_by", "used")

    def __init__(self, number: int) -> None:
        self.number = number
        self.loaded: str | None = None
        self.used = 0
        self.taken_by: int | None = None


class Slots:
    """The slots of a running engine. A request takes one for itself. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._changed = threading.Condition()
        self._uses = 0

    def take(self, key: str | None) -> Slot:
        """Wait for a free slot; prefer the last one that began with this prefix.

        Every request has a time limit, so a slot gets free. A thread that has not read an answer to
        its end would wait for itself: it gets the same slot again, where llama.cpp makes it wait.
        """
        thread = threading.get_ident()
        with self._changed:
            while True:
                free = [slot for slot in self._slots if slot.taken_by is None]
                free = free or [slot for slot in self._slots if slot.taken_by == thread]
                if free:
                    break
                self._changed.wait(_MOMENT)  # an interrupt is noticed on all systems
            alike = [slot for slot in free if slot.loaded == key]
            slot = max(alike, key=_last_use) if alike else min(free, key=_last_use)
            self._uses += 1
            slot.taken_by, slot.used = thread, self._uses
            return slot

    def give_back(self, slot: Slot) -> None:
        with self._changed:
            slot.taken_by = None
            self._changed.notify()


def _last_use(slot: Slot) -> int:
    return slot.used
