"""Reference data: a line of a csv is all that a token takes, and a build leaves a seed alone that says the same."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import in_process, saved_parse
from support.warehouse import NO_TESTS, Warehouse

from orchestration import dbt
from orchestration.config.files import PROJECT
from workshop.sample.load import SAMPLE_AS_OF

PARTS = ("dbt_project.yml", "macros", "models", "profiles.yml", "seeds", "snapshots", "tests/generic", "tests/marts")
# A row that is written has another xmin or ctid, and a table that was made again another oid.
VERSIONS = """
select tableoid, xmin::text, ctid::text from insights.tokens
union all select tableoid, xmin::text, ctid::text from insights.historical_tokens
union all select tableoid, xmin::text, ctid::text from insights.label_bases
union all select tableoid, xmin::text, ctid::text from insights.label_categories
union all select tableoid, xmin::text, ctid::text from insights.label_subcategories
"""
LOAD = ("--resource-type", "seed", "--resource-type", "model", "--select", "+fact_tasks", "+dim_tasks", "rejects")

pytestmark = pytest.mark.services


@dataclass(frozen=True)
class Project:
    """A copy of the dbt project, to be edited."""

    folder: Path

    @classmethod
    def copy_to(cls, folder: Path) -> Project:
        for part in PARTS:
            copy = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            copy(PROJECT / part, folder / part)
        return cls(folder)

    def add(self, seed: str, *lines: str) -> None:
        """Append lines to the csv of a seed."""
        with (self.folder / f"seeds/{seed}.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def dbt(self, warehouse: Warehouse, *arguments: str, **variables: Any) -> dict[str, str]:
        """Run dbt as the ETL role; returns the status of each node by its name."""
        target = self.folder / "target"
        target.mkdir(exist_ok=True)
        environment = dbt.process_environment(warehouse.settings, warehouse.etl_url) | {"DBT_TARGET_PATH": str(target)}
        given = ("--vars", json.dumps({"as_of": str(SAMPLE_AS_OF)} | variables))
        places = ("--project-dir", str(self.folder), "--profiles-dir", str(self.folder))
        saved_parse.save(environment, *given, project=self.folder)
        in_process.run_dbt([*arguments, *places, *given, "--quiet"], environment, lambda _: None)
        results = json.loads((target / "run_results.json").read_text("utf-8"))["results"]
        nodes = [result for result in results if not result["unique_id"].startswith("operation.")]
        return {result["unique_id"].split(".")[2]: result["status"] for result in nodes}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.copy_to(tmp_path)


def test_a_line_of_a_csv_is_all_that_a_token_takes(built: Warehouse, project: Project) -> None:
    ids = [row[0] for row in built.rows("select task_id from insights.fact_tasks order by task_id limit 3")]
    for kind, value in (("task_category", "question"), ("task_source", "fax"), ("task_category", "riddle")):
        built.execute(f"alter type public.{kind} add value '{value}'")
    change = "update public.tasks set {} = '{}', updated_at = '2025-12-31 12:00:00+00' where id = '{}'"
    changes = [("category", "question"), ("source", "fax"), ("category", "riddle")]
    built.execute(";".join(change.format(*what, task) for what, task in zip(changes, ids, strict=True)))
    built.execute("create view public.closing as select token from insights.tokens where is_closed")

    assert built.build(*LOAD, scan_all=True).succeeded
    assert _rejected(built, ids) == ["unknown_category", "unknown_source", "unknown_category"]

    project.add("tokens", "task_category,question,6,,A user asks a question.", "task_status,DONE,8,true,Done.")
    project.add("historical_tokens", "source,fax,email")
    statuses = project.dbt(built, "build", *LOAD, scan_all=True)
    assert {name for name, status in statuses.items() if status not in ("success", "pass")} == set()

    assert _rejected(built, ids) == [None, None, "unknown_category"]
    loaded = "select category, source from insights.dim_tasks where task_id = %s"
    assert built.rows(loaded, ids[0])[0][0] == "question"
    assert built.rows(loaded, ids[1])[0][1] == "email"
    assert built.rows(loaded, ids[2])[0][0] != "riddle"
    assert ("DONE",) in built.rows("select token from public.closing")


def test_a_build_leaves_a_seed_alone_that_says_the_same(built: Warehouse) -> None:
    before = sorted(built.rows(VERSIONS))
    built.execute("create view public.words as select name from insights.label_bases")

    for arguments in ([], ["--full-refresh"]):
        assert built.build("--select", "resource_type:seed", *NO_TESTS, *arguments).succeeded

    assert sorted(built.rows(VERSIONS)) == before
    assert built.value("select count(*) from public.words") == 8


def test_a_wrong_line_of_a_csv_fails_its_test(built: Warehouse, project: Project) -> None:
    project.add("tokens", "visibility,SECRET,,,No rank.", "environment,dev,5,,Listed twice.")
    project.add("tokens", "task_priority,URGENT,4,,The rank of CRITICAL.", "case_status,parked,6,,A rank is left out.")
    project.add("historical_tokens", "source,fax,letter", "source,ui,api")
    project.add("label_bases", "1,Again,", "2,Staff,true")
    project.add("label_categories", "9,Again")
    project.add("label_subcategories", "6,Report")

    statuses = project.dbt(built, "build", "--select", "resource_type:seed", "--indirect-selection", "cautious")

    assert {name for name, status in statuses.items() if status not in ("success", "pass")} == {
        "never_null_in_tokens",
        "no_token_is_listed_twice",
        "no_rank_is_given_twice",
        "ranks_are_counted_tokens_enum__rank",
        "means_a_token_historical_tokens_enum__token",
        "no_historical_token_is_listed_twice",
        "is_key_label_bases_base",
        "is_key_label_bases_name",
        "never_null_in_label_bases",
        "is_key_label_categories_category",
        "is_key_label_subcategories_name",
    }


def test_a_column_without_a_type_is_refused_and_a_new_one_is_added(built: Warehouse, project: Project) -> None:
    file = project.folder / "seeds/label_categories.csv"
    lines = file.read_text("utf-8").splitlines()
    file.write_text(
        "".join(f"{line},{'note' if number == 0 else number}\n" for number, line in enumerate(lines)), "utf-8"
    )
    assert project.dbt(built, "seed", "--select", "label_categories") == {"label_categories": "error"}

    yml = project.folder / "seeds/_seeds.yml"
    yml.write_text(yml.read_text("utf-8").replace("{ category: integer,", "{ note: text, category: integer,"), "utf-8")
    assert project.dbt(built, "seed", "--select", "label_categories") == {"label_categories": "success"}
    assert built.value("select note from insights.label_categories where category = 9") == "9"


def test_without_reference_data_the_message_says_what_to_run(prepared: Warehouse) -> None:
    result = prepared.build("--select", "stg_tasks", command="run")
    assert not result.succeeded
    assert "The reference data tokens is not in the database. Run first: insights build, or dbt seed" in result.output


def _rejected(warehouse: Warehouse, ids: list[Any]) -> list[str | None]:
    """Return the reject reason of each of these tasks, None when it is not rejected."""
    rows = warehouse.rows(
        "select source_id, reject_reason from insights_ops.rejects where source_table = 'tasks' and resolved_at is null"
    )
    reasons = {str(source_id): reason for source_id, reason in rows}
    return [reasons.get(str(task)) for task in ids]
