"""Tables, texts and progress lines, as commands print them."""

from __future__ import annotations

import io
import json
from datetime import date

import click
import pytest

from orchestration.cli.entry import run
from orchestration.cli.progress import live_line, progress, step
from orchestration.cli.tables import show_table, table_lines
from orchestration.cli.texts import columns, cut, say, say_json
from orchestration.errors import FailedError

ROWS = [("fact_tasks", 12345, date(2025, 1, 1), True), ("dim", 7, None, False)]
HEADER = ("relation", "rows", "before", "kept")


class Terminal(io.StringIO):
    """A text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_texts_are_left_numbers_are_right_and_what_is_missing_is_a_dash() -> None:
    assert table_lines(ROWS, header=HEADER) == [
        "  relation      rows  before      kept",
        "  fact_tasks  12,345  2025-01-01  yes",
        "  dim              7  -           no",
    ]


def test_a_table_without_a_header_or_without_rows() -> None:
    assert table_lines([("a", 1)]) == ["  a  1"]
    assert table_lines([], header=("a", "bb")) == ["  a  bb"]
    assert table_lines([]) == []


def test_texts_of_others_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    assert table_lines([("a\n2026\x1b[2J\u202eb",)]) == ["  a\\n2026\\x1b[2J\\u202eb"]
    say("one\rtwo")
    assert capsys.readouterr().out == "one\\rtwo\n"


def test_a_long_cell_is_cut_without_a_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([("a" * 6400, 1), ("b", 2)], ("t", "n"))
    assert capsys.readouterr().out.splitlines()[1:] == [f"  {'a' * 299}…  1", f"  b{' ' * 299}  2"]
    show_table([("a" * 300, 1)], ("t", "n"))
    assert capsys.readouterr().out.splitlines()[1:] == [f"  {'a' * 300}  1"]


def test_wide_and_combining_characters_are_counted_as_a_terminal_shows_them() -> None:
    # The two ideographs take four columns, the accent of the decomposed e none.
    assert (columns("病院"), columns("e\u0301"), columns("abc")) == (4, 1, 3)
    assert table_lines([("病院", 1), ("e\u0301abc", 2)]) == ["  病院  1", "  e\u0301abc  2"]
    assert cut("病" * 151) == "病" * 149 + "…"
    assert len(cut("e" + "\u0301" * 5000)) == 300


def test_a_document_on_a_terminal_has_escapes_and_the_same_values(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"a": "\u202eb\x7f\x85", "é": ["\U000e0001", "\n"]}
    say_json(json.dumps(values, ensure_ascii=False, indent=1))
    printed = capsys.readouterr().out
    assert json.loads(printed) == values
    assert all(line.isprintable() for line in printed.split("\n"))


def test_an_error_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    commands = click.Group()

    @commands.command()
    def fail() -> None:
        raise FailedError("There is no \x1b[2J\u202eorganization.\nList them.")

    monkeypatch.setattr("sys.argv", ["insights", "fail"])
    with pytest.raises(SystemExit):
        run(commands)
    assert capsys.readouterr().err == "Error: There is no \\x1b[2J\\u202eorganization.\nList them.\n"


def test_a_live_line_is_rewritten_on_a_terminal_and_removed_at_the_end() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        with pytest.raises(ZeroDivisionError), live_line(stream) as show:
            show("half")
            1 / 0  # noqa: B018 - what is done with the line while it stands there fails
    assert terminal.getvalue() == "\r\033[Khalf\r\033[K"
    assert file.getvalue() == ""


def test_a_terminal_has_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("deleting") as show:
        show(1, 3, "fact_tasks: 2,000 rows [deleted]")
        show(3, 3)
    written = terminal.getvalue()
    assert "deleting" in written
    assert "3/3" in written
    assert written.rstrip("\x1b[?25h").endswith("\x1b[2K") or "\x1b[1A\x1b[2K" in written, "the line is erased"
    with progress("rows") as show:
        show(0, 0)  # an export without rows


def test_elsewhere_a_line_says_every_few_seconds_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("orchestration.cli.progress.time.monotonic", lambda: now[0])
    with progress("deleting") as show:
        for number in range(13):  # one a second
            show(1000 * number, 20_000, "fact_tasks")
            now[0] += 1
        show(3, 0)
    out, err = capsys.readouterr()
    # The first after five seconds, the second after ten; two and three seconds later nothing more.
    assert err == "deleting: 5,000 of 20,000, fact_tasks\ndeleting: 10,000 of 20,000, fact_tasks\n"
    assert out == ""


def test_a_step_prints_tenths_and_its_seconds_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with step("insights build") as report:
        for done in range(1, 21):
            report(done, 20)
    *tenths, last = capsys.readouterr().out.splitlines()
    assert tenths == [f"    insights build: {done} of 20" for done in range(2, 21, 2)]
    assert last.startswith("  insights build  ")
    assert last.endswith(" s")
