"""Limits that Python checks before SQL applies them are the ones of the macros."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from support.policy import macros

from orchestration.cli.options import FIRST_DAY, LAST_DAY
from orchestration.config.consistency import LONGEST_DOMAIN


@pytest.mark.parametrize(
    ("macro", "constant"),
    [
        ("calendar_start", f"moment_of('{FIRST_DAY} 00:00:00+00')"),
        ("calendar_end", f"moment_of('{LAST_DAY} 23:59:59.999999+00')"),
        ("key_length", f" {LONGEST_DOMAIN} "),
    ],
)
def test_the_constant_of_a_macro_is_the_one_of_the_command_line(macro: str, constant: str) -> None:
    (source,) = (node["macro_sql"] for node in macros() if node["name"] == macro)
    assert constant in source


def test_the_calendar_has_130_years() -> None:
    # 98 common years of 365 days and 32 leap years from 1972 to 2096; 2000 is one of them.
    assert LAST_DAY - FIRST_DAY + timedelta(days=1) == timedelta(days=98 * 365 + 32 * 366)
    assert date(1970, 1, 1) == FIRST_DAY
