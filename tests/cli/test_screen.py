"""Tables on a terminal: as wide as it is, nothing cut that must be whole, and records where no table fits."""

from __future__ import annotations

import json
import os
import sys

import pytest
from support.cli.in_turn import END
from support.dashboards.dashboard_scenario import HOSPITAL
from support.readers import largest_organizations
from support.warehouse import Warehouse

from orchestration.cli.screen import Bar, draw, fitted, shortened
from orchestration.cli.texts import columns
from orchestration.config.files import PROJECT
from orchestration.dashboards.changes import changes
from orchestration.dashboards.panels import Columns
from orchestration.dashboards.units import heading, shown
from workshop.terminal import INSIGHTS, on_terminal, plain

ID = "0b54ec5e-9c5f-5d2f-8a52-6d3a3f3c2c11"
HEADER = ("pattern", "about", "cases")


def drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, *rows: tuple[str | Bar, ...]
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    draw(HEADER, rows, [False, False, True])
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_widest_text_is_cut_and_says_how_much(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(ID, "x" * 60, "12"), (ID, "short", "1,234")]
    # 80 columns less 2 of indent, 36 of the id, 5 of the header "cases" and 2 gaps of 2 are 33: 29 x, then "…+31".
    assert drawn(capsys, monkeypatch, 80, *rows) == [
        f"  pattern{' ' * 29}  about{' ' * 28}  cases",
        f"  {ID}  {'x' * 29}…+31     12",
        f"  {ID}  short{' ' * 28}  1,234",
    ]


def test_records_stand_below_each_other_where_no_table_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(ID, "a text of words", "12"), (ID, "b" * 40, "1")]
    # At 50 columns the names take 7 and the values 50 - 2 - 2 - 7 = 39: the id is whole, 40 letters take two lines.
    assert drawn(capsys, monkeypatch, 50, *rows) == [
        f"  pattern  {ID}",
        "  about    a text of words",
        "  cases    12",
        "",
        f"  pattern  {ID}",
        f"  about    {'b' * 39}",
        "           b",
        "  cases    1",
    ]


def test_one_row_is_a_record(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(capsys, monkeypatch, 120, ("p", "[red]a[/red] :smile:", "12")) == [
        "  pattern  p",
        "  about    [red]a[/red] :smile:",
        "  cases    12",
    ]


def test_a_bar_is_as_long_as_its_share(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Sixteen columns are the whole; a quarter is four. A bar says nothing in a record.
    lines = drawn(capsys, monkeypatch, 80, ("a", Bar(1), "4"), ("b", Bar(0.25), "1"), ("c", Bar(0), "0"))
    assert [line.count("█") for line in lines] == [0, 16, 4, 0]
    # 34 columns less 2, two gaps of 2, 7 and 5 are 16; at 30 there are 12 for the whole, at 23 too few for a bar.
    for width, lengths in ((34, [0, 16, 4, 0]), (30, [0, 12, 3, 0]), (23, [0, 0, 0, 0])):
        lines = drawn(capsys, monkeypatch, width, ("a", Bar(1), "4"), ("b", Bar(0.25), "1"), ("c", Bar(0), "0"))
        assert [line.count("█") for line in lines] == lengths
    assert drawn(capsys, monkeypatch, 80, ("a", Bar(1), "4")) == ["  pattern  a", "  cases    4"]


@pytest.mark.parametrize("width", range(8, 40))
def test_a_shortened_text_fits_and_counts_what_it_leaves_out(width: int) -> None:
    for text in ("y" * 39, "病" * 30, "y" * 2000):
        short = shortened(text, width)
        assert columns(short) <= width
        if short != text:
            kept, _, left_out = short.partition("…+")
            assert text.startswith(kept)
            assert len(kept) + int(left_out) == len(text)


def test_a_column_of_ids_or_numbers_is_never_narrower() -> None:
    rows = [(ID, "2026-01-01 00:00:00+00:00", "a b c d e f g h i j k", "1,234")]
    header, are_numbers = ("id", "at", "about", "number of cases"), [False, False, False, True]
    assert fitted(header, rows, are_numbers, 110) == [36, 25, 21, 15]
    # 97 less 2 and three gaps of 2 are 89: less 36, 25 and 21, 7 are left for the header of the number, in three lines.
    assert fitted(header, rows, are_numbers, 97) == [36, 25, 21, 7]
    # "number" has six letters; then the text is cut.
    assert fitted(header, rows, are_numbers, 90) == [36, 25, 15, 6]
    assert fitted(header, rows, are_numbers, 86) is None


TREND = Columns.model_validate(
    {
        "dimensions": {"month": "month", "domain": "domain"},
        "measures": {"opened": "sum(opened)"},
        "units": {"month": "month"},
        "order": "month",
        "chart": {"mark": "line", "x": "month", "y": ["opened"], "series": "domain"},
    }
)


def test_a_month_is_compared_with_the_month_before_of_the_same_domain() -> None:
    rows = [
        {"month": "2025-12-01", "domain": "a", "opened": 100},
        {"month": "2026-01-01", "domain": "a", "opened": 125},
        {"month": "2026-01-01", "domain": "b", "opened": 7},
        {"month": "2026-02-01", "domain": "b", "opened": 0},
        {"month": "2026-03-01", "domain": "b", "opened": 9},
        {"month": "2026-04-01", "domain": "b", "opened": 3},
    ]
    # March follows a month of none; April has not ended on the 20th.
    assert changes(TREND, rows, "2026-04-20") == [None, "+25.0%", None, "-100.0%", None, None]
    # On 1 May it has: a third of nine, two thirds less.
    assert changes(TREND, rows, "2026-05-01") == [None, "+25.0%", None, "-100.0%", None, "-66.7%"]


def test_a_share_differs_by_percentage_points_and_only_time_is_compared() -> None:
    given = {
        "dimensions": {"day": "day"},
        "measures": {"kept": "x"},
        "units": {"day": "day", "kept": "share"},
        "order": "day",
        "chart": {"mark": "line", "x": "day", "y": ["kept"]},
    }
    rows = [{"day": "2026-02-28", "kept": 0.5}, {"day": "2026-03-01", "kept": 0.625}, {"day": "2026-03-03", "kept": 1}]
    assert changes(Columns.model_validate(given), rows, "2026-03-04") == [None, "+12.5 pp", None]
    by_name = given | {"units": {}, "chart": {"mark": "bar", "x": "day", "y": ["kept"]}}
    assert changes(Columns.model_validate(by_name), rows, "2026-03-04") is None


def test_units_are_in_the_header_and_tokens_are_words() -> None:
    assert [heading("share", "Kept"), heading("day", "Day"), heading("count", "Tasks")] == [
        "Kept (%)",
        "Day (UTC)",
        "Tasks",
    ]
    assert [
        shown("share", 0.687),
        shown("month", "2025-11-01"),
        shown("token", "IN_PROGRESS"),
        shown("count", None),
    ] == [
        "68.7%",
        "2025-11",
        "In progress",
        None,
    ]


@pytest.mark.services
@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_list_fits_the_terminal(built: Warehouse, width: int) -> None:
    pattern = built.value("select pattern_id::text from insights.pattern_yearly order by 1 limit 1")
    seen = ("--as", "teacher", "--visibility", "PUBLIC,INTERNAL")
    asked = {
        "status": "status",
        "organizations": "organizations",
        "roles": "roles",
        "patterns list": "patterns list",
        "patterns explain": f"patterns explain {pattern}",
        "exports list": "exports list",
        "reviews list": "reviews list --limit 3",
        "purge": "purge",
    }
    shown = ("overview", "sla_breaches", "monthly_trends", "open_patterns", "task_volume")
    commands = {name: command.split() for name, command in asked.items()}
    commands |= {name: ["dashboard", name, "--org", HOSPITAL, *seen] for name in shown}
    environment = {
        "INSIGHTS_WAREHOUSE_URL": built.etl_url,
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'tests'}",
    }
    program = (sys.executable, "-m", "support.cli.in_turn", json.dumps([*commands.values()]))
    *texts, rest = plain(on_terminal(*program, width=width, environment=environment)).split(END)
    assert rest == ""
    for name, text in zip(commands, texts, strict=True):
        lines = text.splitlines()
        assert max(map(columns, lines)) <= width, (name, max(lines, key=columns))


@pytest.mark.services
def test_a_dashboard_has_the_name_of_the_organization_units_bars_and_changes(built: Warehouse) -> None:
    organization, _ = largest_organizations(built)[0]
    slug, name = built.rows(
        "select slug, display_name from insights.dim_organizations where organization_id = %s", organization
    )[0]
    asked = (
        "dashboard",
        "monthly_trends",
        "--org",
        slug,
        "--as",
        "teacher",
        "--visibility",
        "PUBLIC,INTERNAL",
        "--panel",
        "by_month",
    )
    address = {"INSIGHTS_WAREHOUSE_URL": built.reader_url}
    heading_, panel, header, *rows = plain(on_terminal(INSIGHTS, *asked, width=140, environment=address)).splitlines()
    assert heading_ == f"{name}: Monthly trends"
    assert panel == "By month, data before 2026-01-01 (UTC)"
    assert "Share of missed deadlines (%)" in header
    months = built.rows(
        "select month::text, sum(opened)::int from insights.report_monthly_trends where organization_id = %s"
        " and visibility in ('PUBLIC', 'INTERNAL') and month >= '2025-01-01' and month < '2026-01-01'"
        " group by 1 order by 1",
        organization,
    )
    assert len(rows) == len(months)
    top = max(opened for _, opened in months)
    for (month, opened), (_, before), row in zip(months[1:], months, rows[1:], strict=False):
        assert row.split()[:3] == [month[:7], f"{opened:,}", f"{(opened - before) / before:+.1%}"]
        assert row.count("█") == round(16 * opened / top)
