"""The groups of commands in `insights --help`, with summaries that are not cut."""

from __future__ import annotations

from collections.abc import Iterable

import click

LONGEST_SUMMARY = 1000  # characters: the first sentence of a docstring, whole


class Group(click.Group):
    """Commands that are listed with their whole summaries, wrapped to the width of the terminal."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and summaries."""
        with formatter.section("Commands"):
            formatter.write_dl(self.summaries(sorted(self.commands)))

    def summaries(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """Return (name, whole summary) of these commands."""
        return [(name, self.commands[name].get_short_help_str(LONGEST_SUMMARY)) for name in names]


class Commands(Group):
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
        """Write each section."""
        for title, names in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(self.summaries(names))
