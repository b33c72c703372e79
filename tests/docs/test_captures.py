"""The page of captures is what the commands print, and each line fits the terminal."""

from __future__ import annotations

import re

import pytest
from support.warehouse import Warehouse

from docs.captures import COMMANDS, PAGE, WIDTHS, Capture, captures
from orchestration.cli.texts import columns

BLOCK = re.compile(r"^(\d+) columns:\n\n```text\n\$ insights (.*)\n((?:.*\n)*?)```$", re.M)
# The page is made in staging, which keeps two years of trends; the tests run in dev, which keeps three months.
OF_OTHER_MONTHS = "dashboard monthly_trends"


def test_each_line_of_the_page_fits() -> None:
    shown = [(int(width), command, text) for width, command, text in BLOCK.findall(PAGE.read_text("utf-8"))]
    assert [(width, command) for width, command, _ in shown] == [(w, c) for c in COMMANDS for w in WIDTHS]
    for width, command, text in shown:
        assert max(map(columns, text.splitlines())) <= width, (command, width)
        assert len(text.splitlines()) > 1, command


@pytest.mark.services
def test_the_page_is_what_the_commands_print(built: Warehouse) -> None:
    page = PAGE.read_text("utf-8")
    for found in captures({"INSIGHTS_WAREHOUSE_URL": built.reader_url}):
        if found.command.startswith(OF_OTHER_MONTHS):
            assert head(found) in page
        else:
            assert str(found) in page, f"python docs/captures.py: {found.command} at {found.width}"
        assert max(map(columns, found.text.splitlines())) <= found.width


def head(found: Capture) -> str:
    """Return the lines of a capture above its first month."""
    return str(found).partition("\n  20")[0]
