"""Write docs/captures.md: what six commands print on terminals of 80 and 120 columns.

Run `./dev demo`, then `python docs/captures.py`. A test compares the page with what the commands print.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestration.config.files import PROJECT, load_settings
from workshop import demo
from workshop.terminal import INSIGHTS, on_terminal, plain

PAGE = PROJECT / "docs/captures.md"
WIDTHS = (80, 120)
SEEN = "--org sample-hospital --as teacher --visibility PUBLIC,INTERNAL"
COMMANDS = (
    "organizations",
    f"dashboard overview {SEEN}",
    f"dashboard monthly_trends {SEEN} --panel by_month",
    "patterns list --cadence weekly --org sample-hospital --limit 2",
    "roles --org sample-hospital --limit 5",
    "exports list",
)
HEAD = """# What commands print

Six commands on the sample, on terminals of 80 and 120 columns, without colors; in a pipe the same rows are plain lines
([output](command-line.md#output)). `python docs/captures.py` writes this page. [Index](README.md)
"""


@dataclass(frozen=True)
class Capture:
    """What a command printed on a terminal of a width."""

    command: str
    width: int
    text: str

    def __str__(self) -> str:
        """Return a titled block of the page."""
        return f"\n{self.width} columns:\n\n```text\n$ insights {self.command}\n{self.text.rstrip()}\n```\n"


def captures(environment: Mapping[str, str]) -> Iterator[Capture]:
    """Yield each command at each width; `environment` has the address of a built sample."""
    for command in COMMANDS:
        for width in WIDTHS:
            words = (INSIGHTS, *command.split())
            yield Capture(command, width, plain(on_terminal(*words, width=width, environment=environment)))


def page(environment: Mapping[str, str]) -> str:
    """Return the whole page."""
    parts = [HEAD]
    for capture in captures(environment):
        if capture.width == WIDTHS[0]:
            parts.append(f"\n## insights {' '.join(capture.command.split()[:2]).partition(' --')[0]}\n")
        parts.append(str(capture))
    return "".join(parts)


def main() -> None:
    """Write the page from the demo's database."""
    job = demo.prepare_demo(load_settings(), None)
    PAGE.write_text(page({"INSIGHTS_WAREHOUSE_URL": job.warehouse_url}), "utf-8")


if __name__ == "__main__":
    main()
