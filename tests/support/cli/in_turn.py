"""Runs commands of `insights` one after the other: `python -m support.cli.in_turn JSON`, a list of lists of arguments.

They share a process, which imports what they need once. END follows the output of each; the first that fails ends all.
"""

from __future__ import annotations

import json
import sys

from orchestration.cli import main

END = "\x1e"  # a control character, which no command prints


def run(commands: list[list[str]]) -> None:
    """Run the commands; raises SystemExit with the exit code of one that fails."""
    for arguments in commands:
        sys.argv = ["insights", *arguments]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
        print(END, end="", flush=True)  # noqa: T201 - between the outputs


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
