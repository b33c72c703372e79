"""A mistake in the files of the calendars is named with its file, line and column, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.config.deployment.calendars import FOLDER, calendar_problems
from orchestration.config.files import PROJECT, check

CALENDARS = ["organization_slug,calendar,timezone", "stores,shop,Europe/Bucharest"]
HOURS = ["calendar,weekday,opens,closes", "shop,Monday,09:00,12:00", "shop,Monday,12:00,24:00"]
HOLIDAYS = ["calendar,day,opens,closes,name", "shop,2026-12-25,,,Christmas"]

# What is added to the hours, the holidays and the calendars, and the message.
HOURS_MISTAKES = {
    "shop,Mon,09:00,17:00": '4:2: weekday is "Mon": must be one of Monday, Tuesday, Wednesday, Thursday, Friday,'
    " Saturday, Sunday. Did you mean Monday?",
    "shop,Tuesday,9:00,17:00": '4:3: opens is "9:00": must be a time from 00:00 to 23:59, such as 09:00',
    "shop,Tuesday,09:00,24:30": '4:4: closes is "24:30": must be a time from 00:01 to 24:00, such as 17:00',
    "shop,Tuesday,22:00,06:00": '4:4: closes is "06:00": must be later than 22:00; hours past midnight are two lines:'
    " 22:00 to 24:00, and 00:00 to 06:00 of the next day",
    "shop,Tuesday,09:00,09:00": '4:4: closes is "09:00": must be later than 09:00; hours past midnight are two lines:'
    " 09:00 to 24:00, and 00:00 to 09:00 of the next day",
    "shop,Monday,11:00,13:00": '4:3: opens is "11:00": overlaps with line 2, which closes at 12:00\n'
    '3:3: opens is "12:00": overlaps with line 4, which closes at 13:00',
    "shop,Monday,09:00,10:00": '4:3: opens is "09:00": overlaps with line 2, which closes at 12:00',
    "shop,Tuesday,09:00": "4: has 3 cells; a line has 4: calendar,weekday,opens,closes",
    ",Tuesday,09:00,17:00": '4:1: calendar is "": must not be empty',
    "shop ,Tuesday,09:00,17:00": '4:1: calendar is "shop ": must not begin or end with a blank',
}
HOLIDAY_MISTAKES = {
    "shop,2026-02-30,,,Never": '3:2: day is "2026-02-30": must be a date, such as 2026-12-25',
    "shop,20260228,,,Joined": '3:2: day is "20260228": must be a date, such as 2026-12-25',
    "shops,2026-12-26,,,Second": '3:1: calendar is "shops": has no hours in business_hours.csv. Did you mean shop?',
    "shop,2026-12-26,09:00,,Half": '3:4: closes is "": both times must be given, or, for a day that is closed, neither',
    "shop,2026-12-25,09:00,12:00,Open": '3:2: day is "2026-12-25": is in line 2 too; a day is closed by one line, or'
    " has hours in each",
    "shop,2026-12-26,,,": '3:5: name is "": must not be empty',
    "shop,2026-12-26,12:00,09:00,Back": '3:4: closes is "09:00": must be later than 12:00; hours past midnight are two'
    " lines: 12:00 to 24:00, and 00:00 to 09:00 of the next day",
}
CALENDAR_MISTAKES = {
    "club,shop,Europe/Bukarest": '3:3: timezone is "Europe/Bukarest": must be an IANA time zone, such as'
    " Europe/Bucharest. Did you mean Europe/Bucharest?",
    "club,office,UTC": '3:2: calendar is "office": has no hours in business_hours.csv.',
    "stores,shop,UTC": '3:1: organization_slug is "stores": is in line 2 already',
}


def _problems(project: Path, hours: list[str], holidays: list[str], calendars: list[str]) -> list[str]:
    folder = project / FOLDER
    folder.mkdir(parents=True)
    for name, lines in (("calendars", calendars), ("hours", hours), ("holidays", holidays)):
        (folder / f"business_{name}.csv").write_text("\n".join([*lines, ""]), "utf-8")
    return [str(problem) for problem in calendar_problems(project)]


def test_hours_that_touch_and_closed_days_are_right(tmp_path: Path) -> None:
    open_twice = ["shop,2026-12-27,09:00,12:00,Open", "shop,2026-12-27,14:00,16:00,Open"]
    assert _problems(tmp_path, HOURS, HOLIDAYS + open_twice, CALENDARS) == []


@pytest.mark.parametrize("line", HOURS_MISTAKES)
def test_wrong_hours(tmp_path: Path, line: str) -> None:
    found = _problems(tmp_path, [*HOURS, line], HOLIDAYS, CALENDARS)
    assert found == [f"error: {FOLDER}/business_hours.csv:{says}" for says in HOURS_MISTAKES[line].split("\n")]


@pytest.mark.parametrize("line", HOLIDAY_MISTAKES)
def test_wrong_holidays(tmp_path: Path, line: str) -> None:
    found = _problems(tmp_path, HOURS, [*HOLIDAYS, line], CALENDARS)
    assert found == [f"error: {FOLDER}/business_holidays.csv:{HOLIDAY_MISTAKES[line]}"]


@pytest.mark.parametrize("line", CALENDAR_MISTAKES)
def test_wrong_calendars(tmp_path: Path, line: str) -> None:
    found = _problems(tmp_path, HOURS, HOLIDAYS, [*CALENDARS, line])
    assert found == [f"error: {FOLDER}/business_calendars.csv:{CALENDAR_MISTAKES[line]}"]


def test_another_first_line_is_shown_the_right_one(tmp_path: Path) -> None:
    found = _problems(tmp_path, ["calendar,day,opens,closes", *HOURS[1:]], [HOLIDAYS[0]], [CALENDARS[0]])
    assert found == [f"error: {FOLDER}/business_hours.csv:1: the first line must be calendar,weekday,opens,closes"]


def test_bytes_that_are_not_utf_8_are_named(tmp_path: Path) -> None:
    assert _problems(tmp_path, HOURS, HOLIDAYS, CALENDARS) == []
    (tmp_path / FOLDER / "business_hours.csv").write_bytes(b"calendar,weekday,opens,closes\nshop\xff")
    assert next(str(problem) for problem in calendar_problems(tmp_path)) == (
        f"error: {FOLDER}/business_hours.csv: is not UTF-8 at byte 34"
    )


def test_the_shipped_files_are_right_and_the_configuration_check_reads_them() -> None:
    assert calendar_problems(PROJECT) == []
    assert [p for p in check().problems if "calendars" in p.file] == []
