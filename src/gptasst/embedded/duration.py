"""How long the embedded model takes, roughly: what is known before a run begins."""

from __future__ import annotations

from pathlib import Path

from gptasst.config.profile import LocalModelSettings
from gptasst.embedded.slots import usable_cores

# Measured with the default model, whose file has so many bytes: seconds of one core.
_BYTES = 98_000_000
_READ = 0.004  # for a token of input
_WRITTEN = 0.02  # for a token of the answer
_CORRECTED = 0.0065  # for a character of a text that is edited by sentences
_USED = 0.85  # of the cores, at best


def expected_seconds(
    model: Path, settings: LocalModelSettings, *, read: int, written: int, corrected: int
) -> float:
    """Estimate a run's time. A model twice as large takes twice as long.

    Args:
        model: the GGUF file; the default model is assumed if it is missing.
        settings: the number of threads.
        read: tokens of input.
        written: tokens of answers.
        corrected: characters of texts that are edited by sentences, which are in neither.
    """
    try:
        size = model.stat().st_size
    except OSError:
        size = _BYTES
    work = _READ * read + _WRITTEN * written + _CORRECTED * corrected
    return work * size / _BYTES / (_USED * (settings.threads or len(usable_cores())))
