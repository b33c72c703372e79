"""The groups of commands in `insights --help`, with summaries that are not cut."""

from __future__ import annotations

from collections.abc import Iterable

import click

LONGEST_SUMMARY = 1000  # characters: the first sentence of a docstring, whole


class Commands(click.Group):
    """Commands in titled sections, in the order in which they were added."""

    def __init__(self, *args: object, **options: object) -> None:
        """Take the arguments of click.Group."""
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._sections: dict[str, list[str]] = {}

    def add_section(self, title: str, commands: Iterable[click.Command]) -> None:
        """Add commands below a title."""
        for command in commands:
            self.add_command(command)
            self._sections.setdefault(title, []).append(command.name or "")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section: names and whole summaries, wrapped to the width of the terminal."""
        for title, names in self._sections.items():
            with formatter.section(title):
                commands = ((name, self.commands[name]) for name in names)
                formatter.write_dl([(name, command.get_short_help_str(LONGEST_SUMMARY)) for name, command in commands])
