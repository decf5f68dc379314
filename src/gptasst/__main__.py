"""The command `gptasst`. What must be instant is answered before anything heavy is imported."""

from __future__ import annotations

import sys


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

    app(prog_name="gptasst")


if __name__ == "__main__":
    main()
