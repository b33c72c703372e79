"""`insights dashboard --chart`: the marks and texts of the files against rows that are counted a second way."""

from __future__ import annotations

import resource
import signal
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from support.dashboards.dashboard_scenario import HOSPITAL
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import Settings
from orchestration.dashboards import drawing
from orchestration.dashboards.chart_files import drawer, write_whole
from orchestration.dashboards.panels import Chart, Columns
from orchestration.errors import BadInputError, FailedError, MisconfiguredError
from workshop.services import LocalPostgres

OPEN = ("--visibility", "PUBLIC", "--visibility", "INTERNAL")
VISIBLE = "visibility in ('PUBLIC', 'INTERNAL')"
MARKS = "{http://www.w3.org/2000/svg}path"


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Warehouse]:
    with pytest.MonkeyPatch.context() as patch:
        made = Warehouse.copy_of(built_sample, "charts", postgres, settings)
        patch.setenv("INSIGHTS_WAREHOUSE_URL", made.reader_url)
        yield made


def draw(name: str, file: Path, *options: str, sees: tuple[str, ...] = OPEN) -> Result:
    command = ["dashboard", name, "--org", HOSPITAL, "--as", "manager", *sees, "--chart", str(file), *options]
    return CliRunner().invoke(commands, command)


def drawn(name: str, file: Path, *options: str) -> ElementTree.Element:
    done = draw(name, file, *options)
    assert done.exit_code == 0, done.output
    return ElementTree.parse(file).getroot()  # noqa: S314 -- it was written a moment ago


def labels(svg: ElementTree.Element) -> Counter[str]:
    """Return what a screen reader says of the marks: bars and points, not lines and axes."""
    kinds = ("bar", "point")
    return Counter(e.get("aria-label", "") for e in svg.iter(MARKS) if e.get("aria-roledescription") in kinds)


def texts(svg: ElementTree.Element) -> list[str]:
    lines: list[str] = []
    for element in svg.iter("{http://www.w3.org/2000/svg}text"):
        lines += element.itertext()  # a text of several lines has an element for each
    return lines


def counted(warehouse: Warehouse, query: str) -> Counter[str]:
    mine = warehouse.value("select id from organizations where slug = %s", HOSPITAL)
    return Counter(text for (text,) in warehouse.rows(query.format(where=f"organization_id = %s and {VISIBLE}"), mine))


@pytest.mark.services
def test_stacked_bars_by_day(warehouse: Warehouse, tmp_path: Path) -> None:
    svg = drawn("task_volume", tmp_path / "chart.svg", "--panel", "by_day", "--parameter", "days=60")
    expected = """
        select to_char(created_date_key, 'YYYY-MM-DD') || ', ' || case current_status
            when 'ON_HOLD' then 'On hold' when 'IN_PROGRESS' then 'In progress' else initcap(current_status) end
            || ': ' || count(*)
        from insights.fact_tasks where {where} and created_date_key >= date '2026-01-01' - 60
        group by created_date_key, current_status
    """
    assert labels(svg) == counted(warehouse, expected)
    assert sum(labels(svg).values()) > 60


@pytest.mark.services
def test_lines_add_up_what_is_not_drawn(warehouse: Warehouse, tmp_path: Path) -> None:
    svg = drawn("monthly_trends", tmp_path / "chart.svg")
    expected = """
        select month || ', ' || what || ': ' || to_char(sum(value), 'FM9,999,990')
        from insights.report_monthly_trends
        cross join lateral (values ('Opened', opened), ('Closed', closed), ('Backlog', backlog)) as v (what, value)
        where {where} group by month, what
        union all
        select month || ', ' || coalesce(domain, 'none') || ': ' || to_char(sum(opened), 'FM9,999,990')
        from insights.report_monthly_trends where {where_again} group by month, domain
    """
    mine = warehouse.value("select id from organizations where slug = %s", HOSPITAL)
    where = f"organization_id = '{mine}' and {VISIBLE}"
    rows = warehouse.rows(expected.format(where=where, where_again=where))
    assert labels(svg) == Counter(text for (text,) in rows)
    lines = [e for e in svg.iter(MARKS) if e.get("aria-roledescription") is None and (e.get("stroke-width") == "2")]
    domains = warehouse.value(f"select count(distinct domain) from insights.report_monthly_trends where {where}")  # noqa: S608
    assert len(lines) == 3 + domains


@pytest.mark.services
def test_the_texts_around_a_drawing(warehouse: Warehouse, tmp_path: Path) -> None:
    shown = texts(drawn("profile_score", tmp_path / "chart.svg"))
    assert "Sample Hospital: Kept deadlines" in shown
    assert "Rows: PUBLIC or INTERNAL" in " ".join(shown)
    assert any(text.startswith("Computed 20") and text.endswith(" UTC.") for text in shown)
    assert {"By domain", "Data up to 2026-01-01.", "Share of kept deadlines", "100%", "0%"} <= set(shown)
    assert any(text.startswith("Decided deadlines, and how many of them were kept") for text in shown)
    query = "select domain from insights.report_profile_scores where decided_count > 0 and organization_id = %s and "
    mine = warehouse.value("select id from organizations where slug = %s", HOSPITAL)
    assert {domain for (domain,) in warehouse.rows(query + VISIBLE, mine)} <= set(shown)


@pytest.mark.services
def test_names_are_texts(warehouse: Warehouse, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> & {datum.x}"
    before = warehouse.value("select display_name from insights.dim_organizations where slug = %s", HOSPITAL)
    rename = "update insights.dim_organizations set display_name = '{}' where slug = '{}'"
    warehouse.execute(rename.format(name, HOSPITAL))
    try:
        svg = drawn("overview", tmp_path / "chart.svg")
    finally:
        warehouse.execute(rename.format(before, HOSPITAL))
    assert f"{name}: Overview" in texts(svg)
    assert not [
        e.tag for e in svg.iter() if e.tag.rpartition("}")[2] in ("img", "image", "script", "a", "foreignObject")
    ]


@pytest.mark.services
def test_a_png_has_the_size_of_the_svg(warehouse: Warehouse, tmp_path: Path) -> None:
    svg = drawn("sla_breaches", tmp_path / "chart.svg")
    done = draw("sla_breaches", tmp_path / "chart.PNG")
    assert done.exit_code == 0, done.output
    content = (tmp_path / "chart.PNG").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == tuple(
        round(2 * float(svg.get(key, 0))) for key in ("width", "height")
    )
    assert "by_domain, by_day" in done.output


@pytest.mark.services
@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("overview", ("--panel", "limits"), "Panel limits of overview has no chart. These have one: tasks, patterns."),
        ("overview", ("--panel", "total"), "Panel total of overview does not exist. These have one: tasks, patterns."),
        ("open_patterns", (), "Dashboard open_patterns declares no chart."),
        ("overview", ("--format", "json"), "--chart draws a file and --format json prints; give one of them."),
        ("no_such", (), "There is no dashboard 'no_such'."),
    ],
)
def test_what_cannot_be_drawn(warehouse: Warehouse, tmp_path: Path, name: str, options: Any, says: str) -> None:
    done = draw(name, tmp_path / "chart.svg", *options)
    assert says in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.services
def test_a_refused_question_leaves_no_file(warehouse: Warehouse, tmp_path: Path) -> None:
    done = draw("overview", tmp_path / "chart.svg", sees=("--visibility", "RESTRICTED"))
    assert "may see PUBLIC, INTERNAL only" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["chart.pdf", "chart", "chart.svg.gz"])
def test_another_suffix_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match=r"the name must end with \.svg or \.png"):
        drawer(Path(name))


def test_without_the_library_the_file_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MisconfiguredError, match=r"pip install -r requirements/charts\.txt"):
        drawer(Path("chart.svg"))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "chart.svg"
    write_whole(file, b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(FailedError, match=r"chart\.svg cannot be written: File too large\."):
            write_whole(file, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["chart.svg"]
    assert file.read_bytes() == b"before"
    for path in (tmp_path / "missing" / "chart.svg", file / "chart.svg", tmp_path):
        with pytest.raises(FailedError, match="cannot be written: "):
            write_whole(path, b"x")


COLUMNS = Columns.model_validate(
    {
        "dimensions": {"month": "month", "domain": "domain", "severity": "severity", "is_new": "is_new"},
        "measures": {"tasks": "1", "share": "1", "seconds": "1"},
        "units": {"month": "month", "severity": "token", "is_new": "flag", "share": "share", "seconds": "seconds"},
        "order": "month",
    }
)
NAMES = ("month", "domain", "severity", "is_new", "tasks", "share", "seconds")
ROWS: list[dict[str, Any]] = [
    dict(zip(NAMES, values, strict=True))
    for values in (
        ("2025-01-01", "a", "MAJOR", True, 2, 0.25, 60),
        ("2025-01-01", "b", "MAJOR", True, 3, None, 5),
        ("2025-02-01", None, None, False, 4, 1.0, 7500),
    )
]
JANUARY, FEBRUARY = "2025-01-01", "2025-02-01"


@pytest.mark.parametrize(
    ("chart", "expected"),
    [
        ({"x": "month", "y": ["tasks"]}, [(JANUARY, "", 5), (FEBRUARY, "", 4)]),
        ({"x": "domain", "y": ["share"]}, [("a", "", 25), ("none", "", 100)]),
        ({"x": "severity", "y": ["tasks"], "series": "is_new"}, [("Major", "yes", 5), ("none", "no", 4)]),
        (
            {"x": "month", "y": ["tasks", "seconds"]},
            [(JANUARY, "Tasks", 5), (JANUARY, "Seconds", 65), (FEBRUARY, "Tasks", 4), (FEBRUARY, "Seconds", 7500)],
        ),
    ],
)
def test_the_marks_of_a_chart(chart: Any, expected: Any) -> None:
    found = drawing.points(COLUMNS, Chart.model_validate({"mark": "bar"} | chart), ROWS)
    assert [(point.x, point.series, point.y) for point in found] == expected


@pytest.mark.parametrize(
    ("unit", "top", "shown"),
    [
        ("count", 0, ["0", "1"]),
        ("count", 3, ["0", "1", "2", "3"]),
        ("count", 1234, ["0", "500", "1,000", "1,500"]),
        ("percent", 44.4, ["0%", "10%", "20%", "30%", "40%", "50%"]),
        ("seconds", 7500, ["0 s", "30 min", "1 h", "1 h 30 min", "2 h", "2 h 30 min"]),
        ("seconds", 900_000, ["0 s", "2 d", "4 d", "6 d", "8 d", "10 d", "12 d"]),
    ],
)
def test_the_values_of_an_axis(unit: Any, top: float, shown: list[str]) -> None:
    assert [drawing._shown(unit, tick) for tick in drawing._ticks(unit, top)] == shown


def test_what_is_missing_is_said() -> None:
    columns = COLUMNS.model_copy(update={"chart": Chart(mark="bar", x="domain", y=["tasks"])})
    contents = {
        "here": {"horizon": "2026-01-01", "rows": ROWS, "left_out": 1200},
        "empty": {"horizon": "2026-01-01", "rows": [], "left_out": 0},
        "gone": {"missing": "report_task_volume", "horizon": None, "rows": [], "left_out": 0},
    }
    panels = {name: drawing.Drawn(f"About {name}.", columns) for name in contents}
    specification = drawing.specification("Heading", ["Sentence."], panels, contents)
    shown = texts(ElementTree.fromstring(drawer(Path("x.svg"))(specification)))  # noqa: S314 -- made here
    assert "Data up to 2026-01-01. 1,200 more rows are not drawn." in shown
    assert shown.count("No rows.") == 2
    assert "Not drawn: the model report_task_volume is not built yet." in shown
