"""Each mistake in the configuration is reported with its line and a remedy, and hides no other."""

from __future__ import annotations

import pytest
from support.config.mistakes import MISTAKES
from support.config_project import CONFIG, DAGS, PROFILES, ConfigProject

from orchestration.config.files import load_settings
from orchestration.errors import InsightsError

pytest_plugins = ["support.config.project_copy"]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"), MISTAKES, ids=[mistake[2].strip()[:40] for mistake in MISTAKES]
)
def test_a_mistake_is_reported_with_its_line(
    project: ConfigProject, file: str, old: str, new: str, said: str | None
) -> None:
    line = project.edit(old, new, file)
    found = project.said()
    if said is None:
        assert found == []
        return
    wanted = said.replace("{line+1}", str(line + 1)).format(file=file, line=line)
    assert len(found) == 1, found
    assert found[0].startswith(wanted), found[0]


def test_a_misspelled_required_key_is_one_problem_and_hides_no_other(project: ConfigProject) -> None:
    first = project.edit("overlap_hours: 6", "overlap_hour: 6")
    second = project.edit("timeout_seconds: 10", "timeout_seconds: ten")
    said = project.said()
    assert [text.split(": ")[:2] for text in said] == [
        [f"{CONFIG}:{first}", "insights.etl.overlap_hour"],
        [f"{CONFIG}:{second}", "insights.reviews.timeout_seconds is ten"],
    ]


def test_problems_of_all_files_come_together(project: ConfigProject) -> None:
    one = project.edit("  source:\n", "  sauce: 1\n  source:\n")
    two = project.edit('"0 3 * * 1"', '"0 3 * * 1 2026"', DAGS)
    three = project.edit("    pattern_min_events: 4", "    pattern_min_event: 4", PROFILES)
    starts = [text.split(": ")[0] for text in project.said()]
    assert starts == [f"{CONFIG}:{one}", f"{DAGS}:{two}", f"{PROFILES}:{three}"]


def test_an_unknown_key_hides_no_broken_invariant(project: ConfigProject) -> None:
    project.edit("  source:\n", "  sauce: 1\n  source:\n")
    project.edit("default_batch_size: 1000", "default_batch_size: 10001")
    assert len(project.said()) == 2


def test_a_value_that_does_not_fit_hides_no_broken_rule_of_the_others(
    project: ConfigProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {
        "insights.reviews.timeout_seconds": project.edit("timeout_seconds: 10", "timeout_seconds: ten"),
        "insights.etl.default_batch_size": project.edit("default_batch_size: 1000", "default_batch_size: 10001"),
        "insights.patterns.overrides_by_domain.maintenance": project.edit("maintenance: hospital", "maintenance: hos"),
        "insights.retention.raw_event_retention_days.prod": project.edit(
            "raw_event_retention_days: { dev: 730, staging: 730, prod: 730 }", "raw_event_retention_days: 700"
        ),
        "etl_dags.daily_events_load.schedule": project.edit('"0 2 * * *"', '"0 2 * *"', DAGS),
    }
    said = project.said()
    assert {text.split(": ")[1].split(" is ")[0]: int(text.split(":")[1]) for text in said} == lines
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    with pytest.raises(InsightsError, match="The configuration has 5 errors") as caught:
        load_settings(project.folder)
    assert all(text in str(caught.value) for text in said)
    monkeypatch.setenv("INSIGHTS_ENV", "dev")  # where no yearly review runs
    with pytest.raises(InsightsError, match="The configuration has 4 errors"):
        load_settings(project.folder)


def test_a_file_that_cannot_be_read_hides_no_broken_rule_of_the_others(project: ConfigProject) -> None:
    batch = project.edit("default_batch_size: 1000", "default_batch_size: 10001")
    project.edit("maintenance: hospital", "maintenance: hospitol")  # which can no longer be checked
    project.write("profiles: [\n", PROFILES)
    said = project.said()
    assert [text.split(": ")[0].split(":")[:2] for text in said] == [[PROFILES, "2"], [CONFIG, str(batch)]]


def test_a_secret_in_the_wrong_place_is_not_shown(project: ConfigProject) -> None:
    line = project.edit("schema: public", 'schema: "${INSIGHTS_CORE_API_TOKEN}"')
    assert project.said(INSIGHTS_CORE_API_TOKEN="Pw") == [  # noqa: S106 - it must not come back
        f"{CONFIG}:{line}: insights.source.schema is ***: must match ^[a-z_][a-z0-9_]{{0,62}}$"
    ]
