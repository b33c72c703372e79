"""The documentation agrees with itself and with what the code cites."""

from __future__ import annotations

import csv
import re
from collections import Counter
from difflib import get_close_matches
from pathlib import Path

import pytest
import yaml
from click import Group
from support.documentation import (
    DECISIONS,
    INDEX,
    WITH_CITATIONS,
    broken_links,
    decision_ids,
    orphans,
    read,
    unknown_citations,
)

from orchestration.cli import commands as insights
from orchestration.config.files import PROJECT, load_settings
from orchestration.config.outputs_model import EXTRA_MS
from orchestration.flows import FLOWS
from workshop.cli import commands as workshop

RULES, LAST_OF_THE_DESIGN = 9, 17
LISTED_DAGS = 6  # those of the specification; a DAG of an installation need not be in the table


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return read(PROJECT, "*.md")


def test_every_link_leads_somewhere(pages: dict[str, str]) -> None:
    assert broken_links(pages, PROJECT) == []


def test_every_page_is_reached_from_the_index(pages: dict[str, str]) -> None:
    assert orphans(pages) == set()


def test_each_id_exists_once_and_none_is_skipped(pages: dict[str, str]) -> None:
    ids = decision_ids(pages)
    numbers = [int(name[1:]) for name in ids if name.startswith("D")]
    assert sorted(name for name in ids if name.startswith("R")) == [f"R{n}" for n in range(1, RULES + 1)]
    assert sorted(numbers) == list(range(1, max(numbers) + 1))
    assert max(numbers) > LAST_OF_THE_DESIGN


def test_the_index_of_decisions_lists_each_with_its_title(pages: dict[str, str]) -> None:
    listed = re.findall(r"^\| ([DR]\d+) \| \[(.*)\]\((.*)#(.*)\) \|$", pages["DECISIONS.md"], re.M)
    titles = {
        (name, title, page, name.lower())
        for page, text in pages.items()
        if page.startswith(DECISIONS)
        for name, title in re.findall(r"^## ([DR]\d+)\. (.*)$", text, re.M)
    }
    assert Counter(listed) == Counter(titles)


def test_each_subject_is_listed_once_with_its_ids(pages: dict[str, str]) -> None:
    listed = Counter(
        (page, name)
        for page, ids in re.findall(r"^\| \[[^\]]+\]\((\S+)\) \| .* \| (.*) \|$", pages["DECISIONS.md"], re.M)
        for first, last in re.findall(r"([DR]\d+)(?: to [DR](\d+))?", ids)
        for name in (f"{first[0]}{n}" for n in range(int(first[1:]), int(last or first[1:]) + 1))
    )
    written = Counter(
        (page, name)
        for page, text in pages.items()
        if page.startswith(DECISIONS)
        for name in re.findall(r"^## ([DR]\d+)\. ", text, re.M)
    )
    assert listed == written


def test_the_table_of_dags_agrees_with_the_inventory_and_the_flows(pages: dict[str, str]) -> None:
    rows = re.findall(r"^\| `(insights_\w+)` \| `(.*?)` \| (.*?) \| (.*) \|$", pages["docs/airflow.md"], re.M)
    known = {
        dag.id: (
            dag.schedule,
            ", ".join(dag.enabled_environments),
            ", ".join(f"`{step.task_id}`" for step in FLOWS[key].steps),
        )
        for key, dag in load_settings().dags.items()
    }
    assert len(rows) >= LISTED_DAGS
    assert {dag_id: tuple(cells) for dag_id, *cells in rows}.items() <= known.items()


def test_every_citation_is_found(pages: dict[str, str]) -> None:
    files = read(PROJECT, *WITH_CITATIONS)
    del files["tests/docs/test_docs.py"]
    assert len(files) > len(pages)
    assert unknown_citations(files, pages) == []


def test_every_meta_key_is_explained(pages: dict[str, str]) -> None:
    used: set[str] = set()
    for text in read(PROJECT, "models/*.yml", "snapshots/*.yml").values():
        used |= _meta_keys(yaml.safe_load(text))
    for text in read(PROJECT, "models/*.sql", "snapshots/*.sql").values():
        used |= {key for keys in re.findall(r"meta=\{(.*?)\}", text, re.S) for key in re.findall(r"'(\w+)':", keys)}
    assert {"delta", "feeds", "load_of", "nullable", "pii"} < used
    assert used == set(re.findall(r"^### `(\w+)`$", pages["docs/meta-keys.md"], re.M))


def test_every_key_of_the_configuration_is_explained(pages: dict[str, str]) -> None:
    text = (PROJECT / "config/insights/config.yaml").read_text("utf-8")
    keys = _last_keys(yaml.safe_load(text)["insights"])
    assert {"max_vanished_share", "dashboard_slow", "overrides_by_domain", "window_days"} < keys
    assert keys & {"dev", "hospital", "maintenance"} == set()
    page = pages["docs/configuration.md"]
    assert [key for key in sorted(keys) if not re.search(rf"`[\w.]*\b{key}`", page)] == []


def test_examples_of_the_configuration_name_the_lines_of_the_file(pages: dict[str, str]) -> None:
    """A mistake that an example shows may be in the key itself."""
    lines = (PROJECT / "config/insights/config.yaml").read_text("utf-8").splitlines()
    page = pages["docs/configuration.md"]
    shown = re.findall(r"insights\.([\w.]+) = .*  # config/insights/config\.yaml:(\d+)", page)
    shown += [(key, line) for line, key in re.findall(r"config/insights/config\.yaml:(\d+): insights\.([\w.]+)", page)]
    assert len(shown) > 4
    for key, line in shown:
        (written,) = re.findall(r"^ +(\w+):", lines[int(line) - 1])
        assert get_close_matches(written, key.split(".")[-2:]), (key, line, written)


def test_the_table_of_kinds_agrees_with_the_seed(pages: dict[str, str]) -> None:
    table = pages["docs/reviews.md"].split("\n## Kinds\n")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)`( \(weekly\))? \| .*? \| (.*?) \| (.*) \|$", table, re.M)
    shown = {
        kind: (bool(weekly), bool(re.search("enough (distinct )?sources", fires)), request)
        for kind, weekly, fires, request in rows
    }
    with (PROJECT / "seeds/pattern_kinds.csv").open(encoding="utf-8", newline="") as seed:
        known = {
            row["kind"]: (row["is_monthly"] == "false", row["needs_sources"] == "true", _requested_label(row))
            for row in csv.DictReader(seed)
        }
    assert shown == known


def test_every_command_is_in_the_docs_and_no_other(pages: dict[str, str]) -> None:
    text = "\n".join(page for name, page in pages.items() if name != "CHANGELOG.md")
    for program, group in (("insights", insights), ("workshop", workshop)):
        shown = set(re.findall(rf"(?:`|^ {{4,}}|\./dev |&& ){program} ([a-z][a-z-]+)", text, re.M))
        assert shown - group.commands.keys() == set(), program
        missing = [name for name in _paths(group) if not re.search(rf"(?:{program}|\./dev) {name}\b", text)]
        assert missing == [], program


def test_the_checks_find_what_is_wrong(tmp_path: Path) -> None:
    pages = {
        INDEX: "[a](a.md#there) [b](b.md) [c](a.md#not-there) `[d](no.md)`\n## The specification\n| 2.1, 3 | x |\n",
        "docs/a.md": '# There\n[e](../x.py) [f](https://example.org/no) ![g](g.png)\n<a id="h"></a> [h](#h)\n',
        "docs/orphan.md": "",
        "docs/source-contract.md": '<a id="section-1"></a>',
        "docs/decisions/x.md": '<a id="d1"></a>\n## D1. A\n\n<a id="d1"></a>\n## D1. B\n\n<a id="r2"></a>\n## R2. C\n',
    }
    (tmp_path / "x.py").touch()
    assert broken_links(pages, tmp_path) == [f"{INDEX}: b.md", f"{INDEX}: a.md#not-there", "docs/a.md: g.png"]
    assert orphans(pages) == {"docs/orphan.md", "docs/source-contract.md", "docs/decisions/x.md"}
    assert decision_ids(pages) == ["D1", "D1", "R2"]
    cited = "decision D1, D2; rule 2; design, rule 3; specification, section 2.1, specification 4.1; "
    cited += "source contract, section 7"
    assert unknown_citations({"y.sql": cited}, pages) == [
        "y.sql: D2",
        "y.sql: R3",
        "y.sql: contract 7",
        "y.sql: specification 4.1",
    ]
    with pytest.raises(KeyError, match="the anchor d1 is above D2"):
        decision_ids({"docs/decisions/x.md": '<a id="d1"></a>\n## D2. A\n'})


def _meta_keys(part: object) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(_meta_keys, part))
    if not isinstance(part, dict):
        return set()
    own = set(part["meta"]) if isinstance(part.get("meta"), dict) else set()
    return own.union(*map(_meta_keys, part.values()))


def _last_keys(part: dict[str, object]) -> set[str]:
    """Return the last key of each path; values by environment and by domain end a path."""
    found: set[str] = set()
    for key, value in part.items():
        is_inner = isinstance(value, dict) and key != "overrides_by_domain" and "prod" not in value
        found |= _last_keys(value) if is_inner and isinstance(value, dict) else {key}
    return found


def _requested_label(kind: dict[str, str]) -> str:
    if kind["asks_for_review"] == "false":
        return "nothing"
    subcategory = kind["review_subcategory"].replace("0", "<sub>")
    return f"`{kind['review_level']}.<cat>{subcategory}.{kind['review_role'] or '<role>'}.{kind['review_suffix']}`"


def _paths(group: Group) -> list[str]:
    return [
        f"{name} {inner}" if inner else name
        for name, command in group.commands.items()
        for inner in (command.commands if isinstance(command, Group) else [""])
    ]


def test_the_time_that_an_answer_may_take_in_addition_is_that_of_the_service(pages: dict[str, str]) -> None:
    assert f"an answer takes at most {EXTRA_MS} ms longer" in pages["docs/configuration.md"]
