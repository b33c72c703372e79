"""Names in the configuration that the warehouse does not know: where, what is similar, and that no load stops."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.config_project import ConfigProject
from support.warehouse import Warehouse

from orchestration.config.deployment.references import references
from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.runs.readiness import Needs, notices
from orchestration.warehouse.database import Database
from orchestration.warehouse.unknown_names import unknown_names

SEEDS = {
    "seeds/calendars/business_calendars.csv": (
        "organization_slug,calendar,timezone\n"
        "sample-stores,shop,America/Toronto\n"
        "sample-walking-klub,shop,Pacific/Auckland\n"
    ),
    "seeds/calendars/business_hours.csv": "calendar,weekday,opens,closes\nshop,Monday,09:00,17:00\n",
    "seeds/targets/targets.csv": (
        "organization_slug,domain,measure,target_percent,min_count\n"
        "*,*,kept_deadlines,80,10\n"
        "sample-hospital,maintenance,kept_deadlines,80,10\n"
        "Sample-Hospitl,*,kept_deadlines,80,10\n"
        "sample-stores,maintenence,kept_deadlines,80,10\n"
        "qqq,*,kept_deadlines,80,10\n"
    ),
}
DIGESTS = """recipients:
      - { name: one, organization: sample-hospital, roles: [ward_nurse, ward_nurze], scope: team, mail: a@example.org }
      - { name: others, organization: sample-store, roles: [coordinator], scope: team, mail: b@example.org }
      - name: clerks
        organization: sample-stores
        roles: [coordinator, ward_nurse]
        scope: team
        mail: c@example.org
"""
EXPORTS = """scheduled:
      - name: tasks
        export: tasks
        organization: sample-hopital
        user: 00000000-0000-4000-8000-000000000001
        every: day
"""


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    """Return a configuration with right names and with wrong ones."""
    project = ConfigProject.copy_to(tmp_path)
    for file, text in SEEDS.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, "utf-8")
    project.edit("recipients: []", DIGESTS.rstrip())
    project.edit("scheduled: []", EXPORTS.rstrip())
    project.edit("restricted_roles: []", "restricted_roles: [coordinatr]")
    project.edit(
        "      education_support: retail_chain", "      mantenance: retail_chain\n      unheard_of: retail_chain"
    )
    return project


def _said(warehouse: Warehouse, settings: Settings, folder: Path) -> list[str]:
    with Database.open(settings, warehouse.etl_url) as db:
        return [str(problem) for problem in unknown_names(db, folder)]


@pytest.mark.services
def test_each_unknown_name_is_named_with_its_place_and_what_is_similar(
    built: Warehouse, project: ConfigProject
) -> None:
    assert project.said(env="dev") == []
    config = "config/insights/config.yaml"
    domains, access = project.line_of("mantenance: retail_chain"), project.line_of("restricted_roles: [coordinatr]")
    recipients, exports = project.line_of("- { name: one"), project.line_of("organization: sample-hopital")
    clerks = project.line_of("roles: [coordinator, ward_nurse]")
    calendars, targets = "seeds/calendars/business_calendars.csv", "seeds/targets/targets.csv"
    begin = "insights.digests.recipients"
    assert _said(built, load_settings(project.folder), project.folder) == [
        f'warning: {config}:{exports}: insights.exports.scheduled.0.organization is "sample-hopital": no organization'
        " has this slug or id. Did you mean sample-hospital?",
        f'warning: {config}:{access}: insights.access.restricted_roles.0 is "coordinatr": no role has this code.'
        " Did you mean coordinator?",
        f"warning: {config}:{domains}: insights.patterns.overrides_by_domain.mantenance: no task has this domain."
        " Did you mean maintenance?",
        f'warning: {config}:{recipients}: {begin}.0.roles.1 is "ward_nurze": no role of sample-hospital has this code.'
        " Did you mean ward_nurse?",
        f'warning: {config}:{recipients + 1}: {begin}.1.organization is "sample-store": no organization has this slug'
        " or id. Did you mean sample-stores?",
        f'warning: {config}:{clerks}: {begin}.2.roles.1 is "ward_nurse": no role of sample-stores has this code.',
        f'warning: {calendars}:3:1: organization_slug is "sample-walking-klub": no organization has this slug or id.'
        " Did you mean sample-walking-club?",
        f'warning: {targets}:4:1: organization_slug is "Sample-Hospitl": no organization has this slug or id.'
        " Did you mean sample-hospital?",
        f'warning: {targets}:5:2: domain is "maintenence": no task has this domain. Did you mean maintenance?',
        f'warning: {targets}:6:1: organization_slug is "qqq": no organization has this slug or id.',
    ]


@pytest.mark.services
def test_what_is_shipped_names_the_organizations_of_the_sample(built: Warehouse, settings: Settings) -> None:
    assert _said(built, settings, PROJECT) == []
    built.execute("update insights.dim_organizations set slug = 'real-' || slug where slug <> 'sample-hospital'")
    assert [one.partition(": organization_slug")[0] for one in _said(built, settings, PROJECT)] == [
        *(f"warning: seeds/calendars/business_calendars.csv:{line}:1" for line in (2, 3)),
        "warning: seeds/targets/targets.csv:5:1",
    ]


@pytest.mark.services
def test_an_id_is_a_name_and_what_is_not_loaded_is_not_judged(built: Warehouse, project: ConfigProject) -> None:
    id_ = str(built.value("select organization_id from insights.dim_organizations where slug = 'sample-hospital'"))
    project.edit("organization: sample-hopital", f"organization: {id_.upper()}")
    settings = load_settings(project.folder)
    assert not [one for one in _said(built, settings, project.folder) if "exports.scheduled" in one]
    built.execute("drop table insights.dim_roles cascade")
    assert not [one for one in _said(built, settings, project.folder) if "role" in one.partition(" is ")[0]]
    built.execute("drop table insights.dim_organizations cascade")
    assert _said(built, settings, project.folder) == []


@pytest.mark.services
def test_a_gate_says_it_and_lets_the_load_begin(
    built: Warehouse, project: ConfigProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    monkeypatch.setenv("INSIGHTS_AS_OF", "2026-01-01")
    said = notices(load_settings(project.folder), Needs(checks_rows=True))
    assert sum("Did you mean" in one for one in said) == 5  # the shipped files of the deployment are right
    assert notices(load_settings(project.folder), Needs(checks_rows=False)) == []


def test_every_key_that_names_one_is_looked_at(settings: Settings, project: ConfigProject) -> None:
    found = references(load_settings(project.folder), project.folder)
    assert {(one.kind, one.place.key.rpartition(".0")[0] or one.place.key) for one in found} >= {
        ("role", "insights.access.public_roles"),
        ("organization", "organization_slug"),
        ("domain", "domain"),
    }
    keys = _keys_of(settings.insights.model_json_schema())
    assert {key for key in keys if key.endswith(("organization", "roles", "_by_domain"))} == {
        *("organization", "roles"),  # of digests and scheduled exports
        *("public_roles", "internal_roles", "restricted_roles", "anonymised_roles", "superuser_roles"),
        "overrides_by_domain",
    }


def _keys_of(schema: object) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own.union(*map(_keys_of, schema.values()))
