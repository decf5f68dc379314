"""The command `gptasst`. What must be instant is answered before anything heavy is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        from gptasst import __version__

        print(f"gptasst {__version__}")  # noqa: T201  # answered before there is an output sink
        return
    from gptasst.cli.app import app

    app(prog_name="gptasst")


if __name__ == "__main__":
    main()
