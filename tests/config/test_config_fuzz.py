"""Whatever is done to valid files, the answer is either settings or errors with file and line: never a traceback."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.config_project import CONFIG, DAGS, PROFILES, ConfigProject

from orchestration.config.problems import raise_errors
from orchestration.errors import InsightsError

PATTERNS = "patterns.yaml"
FILES = [CONFIG, DAGS, PROFILES, PATTERNS]
SECRET = "s3cr3t"  # noqa: S105 - it is looked for in every message
NASTY = [
    *(
        "",
        "~",
        "yes",
        "no",
        "NaN",
        ".inf",
        "-1",
        "0",
        "1e400",
        "0o17",
        "017",
        "1:30",
        "99999999999999999999",
        "2026-02-30",
    ),
    *(
        "2026-01-01",
        "[]",
        "{}",
        "[1, [2, {a: b}]]",
        "{a: {b: [c]}}",
        "text",
        '"4"',
        "'*'",
        "*x",
        "&x y",
        "&x [*x]",
        "!!set {a}",
    ),
    *(
        "!!binary aGk=",
        "!own z",
        "| \n  block",
        "<<",
        "{<<: {a: 1}}",
        "${HOME}",
        "${NONE}",
        "${",
        "$",
        "%",
        "@",
        "`",
        '"\\x"',
        "é",
    ),
    *(
        "prod",
        "dev",
        "{dev: 1}",
        "{dev: 1, staging: 2, prod: 3}",
        "{prod: x, offline: {}}",
        "[prod, prod]",
        "'{type}'",
        "{0}",
    ),
]
LINE = re.compile(r"^(\s*(?:- )?[\w\"'-]+:)( .*)?$")

Mutation = Callable[[bytes], bytes]


def by_lines(change: Callable[[list[str], int, int], None]) -> Callable[[int, int], Mutation]:
    """Return a mutation that changes a list of lines at one or two positions."""

    def at(first: int, second: int) -> Mutation:
        def mutate(raw: bytes) -> bytes:
            lines = raw.decode("utf-8", "replace").split("\n")
            change(lines, first % len(lines), second % len(lines))
            return "\n".join(lines).encode("utf-8", "replace")

        return mutate

    return at


def delete(lines: list[str], first: int, _second: int) -> None:
    del lines[first]


def duplicate(lines: list[str], first: int, second: int) -> None:
    lines.insert(second, lines[first])


def swap(lines: list[str], first: int, second: int) -> None:
    lines[first], lines[second] = lines[second], lines[first]


def indent_with_a_tab(lines: list[str], first: int, _second: int) -> None:
    lines[first] = "\t" + lines[first].lstrip()


def indent(lines: list[str], first: int, _second: int) -> None:
    lines[first] = "  " + lines[first]


def truncate(lines: list[str], first: int, _second: int) -> None:
    del lines[first:]


def rename(lines: list[str], first: int, second: int) -> None:
    lines[first] = lines[first].replace("e", "abcdefghijklmnopqrstuvwxyz"[second % 26], 1)


def retype(lines: list[str], first: int, second: int) -> None:
    """Give a key another value."""
    found = LINE.match(lines[first])
    if found:
        lines[first] = f"{found[1]} {NASTY[second % len(NASTY)]}"


def exchange_values(lines: list[str], first: int, second: int) -> None:
    """Swap two values; a secret stays with the key that says it is one."""
    one, other = LINE.match(lines[first]), LINE.match(lines[second])
    if one and other and SECRET not in lines[first] + lines[second]:
        lines[first], lines[second] = f"{one[1]}{other[2] or ''}", f"{other[1]}{one[2] or ''}"


def overwrite(at: int, what: bytes) -> Mutation:
    def mutate(raw: bytes) -> bytes:
        start = at % (len(raw) + 1)
        return raw[:start] + what + raw[start + len(what) :]

    return mutate


POSITION = st.integers(0, 500)
LINE_MUTATIONS = [delete, duplicate, swap, indent_with_a_tab, indent, truncate, rename, retype, retype, exchange_values]
MUTATION = st.one_of(
    *(st.builds(by_lines(change), POSITION, POSITION) for change in LINE_MUTATIONS),
    st.builds(overwrite, st.integers(0, 20_000), st.binary(min_size=1, max_size=4)),
    st.builds(overwrite, st.integers(0, 20_000), st.text(max_size=4).map(lambda text: text.encode("utf-8", "replace"))),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ConfigProject:
    project = ConfigProject.copy_to(tmp_path_factory.mktemp("fuzz"))
    project.edit('connection_url: "${INSIGHTS_WAREHOUSE_URL}"', f"connection_url: postgresql://etl:{SECRET}@h/orgo")
    project.edit('token: "${INSIGHTS_CORE_API_TOKEN}"', f"token: {SECRET}")
    project.write("insights:\n  patterns:\n    weekly: { min_events: 4 }\n    yearly: { window_days: 700 }\n", PATTERNS)
    return project


@settings(max_examples=350, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(mutations=st.lists(st.tuples(st.sampled_from(FILES), MUTATION), min_size=1, max_size=4))
def test_no_mutation_gets_a_traceback(project: ConfigProject, mutations: list[tuple[str, Mutation]]) -> None:
    originals = {file: (project.folder / file).read_bytes() for file in FILES}
    path = project.folder / PATTERNS
    try:
        for file, mutate in mutations:
            (project.folder / file).write_bytes(mutate((project.folder / file).read_bytes()))
        checked = project.check(INSIGHTS_PATTERN_CONFIG_PATH=str(path))
    finally:
        for file, raw in originals.items():
            (project.folder / file).write_bytes(raw)
    assert_clear(checked.problems, path)
    try:
        raise_errors(checked.problems)
        assert checked.settings is not None
    except InsightsError as error:
        assert "\n  error: " in str(error)


def assert_clear(problems: Sequence[object], path: Path) -> None:
    """Assert that every problem names a file and a line, and no secret."""
    place = re.compile(
        rf"(error|warning|note): ({'|'.join(map(re.escape, [CONFIG, DAGS, PROFILES, str(path)]))}):[1-9]\d*: ?"
    )
    for problem in problems:
        assert place.match(str(problem)) or place.match(re.sub(r":(\d+):\d+:", r":\1:", str(problem))), str(problem)
        assert SECRET not in str(problem)
