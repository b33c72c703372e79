"""What the specification does not name has a default: its own config.yaml is complete (decision D158)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from support.config_project import CONFIG, DAGS, PROFILES, ConfigProject

from orchestration.config.files import PROJECT, dbt_variables, load_settings
from orchestration.config.model import ConfigFile, Insights
from orchestration.config.settings import Settings
from orchestration.config.show import resolved_values
from orchestration.config.tokens import PerEnvironment

pytest_plugins = ["support.config.project_copy"]

# Section 3.1 of the specification, verbatim.
SPECIFIED = (PROJECT / "tests/support/config/specification_3_1.yaml").read_text("utf-8")
METADATA = re.compile(r"^metadata:\n(?:  .*\n)+", re.M)


@pytest.fixture
def specified(project: ConfigProject) -> ConfigProject:
    """Return a project with the specification's config.yaml, and without the metadata that it does not show."""
    project.write(SPECIFIED)
    for file in (DAGS, PROFILES):
        project.write(METADATA.sub("", project.text(file), count=1), file)
        assert "\nmetadata:" not in project.text(file)
    return project


def settings_of(project: ConfigProject) -> Settings:
    assert project.said() == []
    settings = project.check().settings
    assert settings
    return settings


def test_the_config_of_the_specification_is_complete(specified: ConfigProject, project: ConfigProject) -> None:
    settings = settings_of(specified)
    assert settings.version == "3.0"
    assert settings.insights.cache.ttl_seconds.dashboard_slow.of("prod") == 900
    assert settings.insights.exports.min_group_size == 5
    assert settings.insights.access.restricted_roles == []
    assert settings.insights.offline.enabled is False
    assert dbt_variables(settings) == dbt_variables(load_settings())
    assert specified.said(env="staging") == [
        f'{CONFIG}:2: insights.environment is "prod": must equal INSIGHTS_ENV ("staging"; default: "dev")'
    ]


def test_show_tells_values_of_the_file_from_defaults(specified: ConfigProject) -> None:
    environ = {"INSIGHTS_ENV": "prod", "INSIGHTS_EXPORT_DIR": "/srv/exports", "INSIGHTS_CORE_API_TOKEN": "secret-token"}
    lines = dict(str(value).split(" = ", 1) for value in resolved_values(settings_of(specified), environ))
    assert lines["insights.etl.concurrency"] == f"4  # {CONFIG}:{specified.line_of('concurrency')}"
    assert lines["insights.etl.overlap_hours"] == "6  # default"
    assert lines["insights.access.internal_roles"] == '["*"]  # default'
    assert lines["insights.exports.directory"] == '"/srv/exports"  # default, ${INSIGHTS_EXPORT_DIR}'
    assert lines["insights.reviews.url"] == "(not set)  # default, ${INSIGHTS_CORE_API_URL}"
    assert lines["insights.reviews.token"] == "***  # default, ${INSIGHTS_CORE_API_TOKEN}"
    origins = {key: line.rpartition("  # ")[2] for key, line in lines.items() if key.startswith("insights.")}
    assert {key for key, origin in origins.items() if origin.startswith("default")} == set(
        dict(defaults(Insights, "insights"))
    )


def test_a_key_has_a_default_unless_the_specification_names_it() -> None:
    named = leaves(yaml.safe_load(SPECIFIED))
    assert set(required_keys(ConfigFile, "")) == set(named)


def test_the_shipped_values_equal_the_defaults() -> None:
    written = leaves(yaml.safe_load((PROJECT / CONFIG).read_text("utf-8")))
    known = dict(defaults(Insights, "insights"))
    assert {key: written.get(key) for key in known} == known


def test_the_table_of_defaults_agrees_with_the_model() -> None:
    page = (PROJECT / "docs/configuration.md").read_text("utf-8")
    table = page.split("\n### Defaults\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `(.*)` \|$", table, re.M))
    assert {f"insights.{key}": yaml.safe_load(value) for key, value in rows.items()} == dict(
        defaults(Insights, "insights")
    )


def test_a_missing_section_breaks_no_rule_of_a_file_with_another_error(specified: ConfigProject) -> None:
    line = specified.edit("concurrency: 4", "concurrency: four")
    specified.edit('schema: "insights"', 'schema: "public"')
    said = specified.said()
    assert said[0] == f"{CONFIG}:{line}: insights.etl.concurrency is four: must be a whole number, without quotes"
    assert "insights.warehouse.schema is public: must differ from source.schema" in said[1]
    assert len(said) == 2


def leaves(data: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return each value by its dotted key; a mapping by environment, domain or table is one value."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        here = f"{path}.{key}".removeprefix(".")
        is_whole = key in ("overrides_by_domain", "source_hours")
        is_inner = isinstance(value, dict) and "prod" not in value and not is_whole
        found |= leaves(value, here) if is_inner else {here: value}
    return found


def sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, Any]]:
    """Yield each field of a model that is no section, with its dotted key."""
    for name, field in model.model_fields.items():
        here, kind = f"{path}.{field.alias or name}".removeprefix("."), field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, PerEnvironment):
            yield from sections(kind, here)
        else:
            yield here, field


def defaults(model: type[BaseModel], path: str) -> Iterator[tuple[str, Any]]:
    yield from ((key, field.default) for key, field in sections(model, path) if not field.is_required())


def required_keys(model: type[BaseModel], path: str) -> Iterator[str]:
    yield from (key for key, field in sections(model, path) if field.is_required())
