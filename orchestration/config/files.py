"""Reads and checks the configuration files, and returns the settings for one ENVIRONMENT.

It reads files and environment variables only, without network, database or processes, because Airflow calls it whenever
it parses the DAGs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from orchestration.config.consistency import contradictions
from orchestration.config.dag_model import DagsFile
from orchestration.config.deployment import deployment_problems
from orchestration.config.expansion import expand_document
from orchestration.config.fitting import fitting
from orchestration.config.model import ConfigFile, silent_hours
from orchestration.config.override import apply_override, read_override
from orchestration.config.problems import KeyPath, Problem, raise_errors
from orchestration.config.profile_model import ProfilesFile
from orchestration.config.rule import broken
from orchestration.config.rules import REVIEWS, invariants
from orchestration.config.secrets.by_file import Variables
from orchestration.config.settings import Settings
from orchestration.config.shape import validate
from orchestration.config.tokens import ENVIRONMENTS, WATCHED, Environment, PerEnvironment
from orchestration.config.variables import CONFIG, PROJECT_DIR, variable_problems
from orchestration.config.yaml_reader import Document, read_yaml

__all__ = [
    "CONFIG_FILE",
    "DAGS_FILE",
    "PROFILES_FILE",
    "PROJECT",
    "Checked",
    "Settings",
    "check",
    "dbt_variables",
    "load_server_settings",
    "load_settings",
    "load_warehouse_settings",
    "per_environment",
]

Model = TypeVar("Model", bound=BaseModel)

_PACKAGE = Path(__file__).resolve().parents[1]


def _project() -> Path:
    """Return the dbt project: INSIGHTS_PROJECT_DIR, else the checkout of this package, else the copy in the wheel."""
    named = os.environ.get(PROJECT_DIR)
    checkout = _PACKAGE.parent
    return Path(named).absolute() if named else checkout if (checkout / MARKER).exists() else _PACKAGE / "project"


MARKER = "dbt_project.yml"
PROJECT = _project()
CONFIG_FILE = Path("config/insights/config.yaml")
DAGS_FILE = Path("config/insights/dags.yaml")
PROFILES_FILE = Path("config/organization_profiles.yaml")

# Keys that must equal INSIGHTS_ENV in every file that has them (specification, section 3.1).
_ENVIRONMENT_KEYS: tuple[KeyPath, ...] = (("metadata", "environment"), ("insights", "environment"))


@dataclass(frozen=True)
class Checked:
    """The settings, None if a file does not match its schema, and all problems."""

    settings: Settings | None
    problems: list[Problem]


def load_settings(project: Path = PROJECT) -> Settings:
    """Return the settings in the files below `project` for the ENVIRONMENT of INSIGHTS_ENV (default: dev).

    Raises MisconfiguredError with all errors, except broken invariants of other environments. Use `check` for warnings.
    """
    checked = check(project)
    raise_errors(p for p in checked.problems if p.environment in (None, _environment(os.environ)))
    return cast(Settings, checked.settings)


def load_server_settings() -> Settings:
    """Return the settings for work that needs PostgreSQL; raises like `load_settings` and `Settings.check_server`."""
    settings = load_settings()
    settings.check_server()
    return settings


def load_warehouse_settings(instead: str) -> Settings:
    """Return the settings for work on a PostgreSQL that loads write; raises like `Settings.check_loads`."""
    settings = load_settings()
    settings.check_loads(instead)
    return settings


def check(project: Path = PROJECT, environ: Mapping[str, str] | None = None) -> Checked:
    """Check the files below `project` and the environment variables; returns the problems of every ENVIRONMENT."""
    given: Mapping[str, str] = os.environ if environ is None else environ
    problems, environment = deployment_problems(project), _environment(given)

    def report(problem: Problem) -> None:
        if problem not in problems:
            problems.append(problem)

    problems += variable_problems(Variables(given, report))
    environ = Variables({**given, "INSIGHTS_ENV": environment}, report)
    documents = _documents(project, environ)
    if override := read_override(environ):
        apply_override(documents[CONFIG_FILE], override)
        problems += [*override.problems, *_disagreements(override, environment)]
    config, config_fits = _model(documents[CONFIG_FILE], ConfigFile, environ, problems)
    dags, dags_fit = _model(documents[DAGS_FILE], DagsFile, environ, problems)
    profiles, profiles_fit = _model(documents[PROFILES_FILE], ProfilesFile, environ, problems)
    for document in documents.values():
        problems += _disagreements(document, environment)
    places = {path: place for document in reversed(documents.values()) for path, place in document.places.items()}
    if config_fits and dags_fit and profiles_fit:
        settings = Settings(environment, config.insights, profiles.profiles, dags.etl_dags, config.version, places)
        return Checked(settings, problems + _broken(settings, environ))
    part = Settings.in_part(environment, places, config, dags, profiles)
    return Checked(None, problems + _broken(part, environ))


def _documents(project: Path, environ: Mapping[str, str]) -> dict[Path, Document]:
    """Return the three files; INSIGHTS_CONFIG takes precedence over those of the project.

    It names config.yaml, or a folder like config/, whose missing files are the project's.
    """
    found = {file: (project / file, str(file)) for file in (CONFIG_FILE, DAGS_FILE, PROFILES_FILE)}
    if named := environ.get(CONFIG):
        place = Path(named)
        if place.is_dir():
            own = {file: place / file.relative_to("config") for file in found}
            found |= {file: (path, str(path)) for file, path in own.items() if path.exists()}
        else:
            found[CONFIG_FILE] = (place, named)
    return {file: read_yaml(path, name) for file, (path, name) in found.items()}


def dbt_variables(settings: Settings) -> dict[str, Any]:
    """Return the variables for dbt; the defaults in dbt_project.yml equal these values of the shipped files."""
    insights = settings.insights
    return {
        "source_schema": insights.source.schema_name,
        "offline_enabled": insights.offline.enabled,
        "read_only_user": insights.warehouse.read_only_user,
        "default_profile_key": insights.patterns.default_profile_key,
        "overrides_by_domain": dict(insights.patterns.overrides_by_domain),
        "swap_attempts": insights.etl.swap_attempts,
        "overlap_hours": insights.etl.overlap_hours,
        "source_stale_hours": {table: silent_hours(insights.etl, table)[0] for table in WATCHED},
        "source_stopped_hours": {table: silent_hours(insights.etl, table)[1] for table in WATCHED},
        "anomalies": insights.anomalies.model_dump(),
        "patterns": {name: getattr(insights.patterns, name).model_dump() for name in REVIEWS},
        **{name: per_environment(getattr(insights.retention, name)) for name in type(insights.retention).model_fields},
    }


def per_environment(value: PerEnvironment) -> dict[str, int]:
    """Return the value of each ENVIRONMENT; `offline` defaults to that of prod (decision D1)."""
    return value.model_dump()


def _broken(settings: Settings, environ: Mapping[str, str]) -> list[Problem]:
    return broken([*invariants(settings), *contradictions(settings, environ)], settings)


def _environment(environ: Mapping[str, str]) -> Environment:
    """Return the ENVIRONMENT of INSIGHTS_ENV; dev if it is not set or, which is reported elsewhere, invalid."""
    named = environ.get("INSIGHTS_ENV")
    return cast(Environment, named if named in ENVIRONMENTS else "dev")


def _model(
    document: Document, model: type[Model], environ: Mapping[str, str], problems: list[Problem]
) -> tuple[Model, bool]:
    """Return the document as a typed model, and whether it is complete; adds its problems to `problems`."""
    if () not in document.places:
        problems += document.problems
        return fitting({}, model), False
    expand_document(document, environ)
    validated = validate(document, model)
    problems += [*document.problems, *validated.problems]
    return validated.model or fitting(document.data, model), validated.model is not None


def _disagreements(document: Document, environment: Environment) -> list[Problem]:
    problems = []
    for section, key in _ENVIRONMENT_KEYS:
        values = document.data.get(str(section))
        value = values.get(key) if isinstance(values, dict) else None
        if value in ENVIRONMENTS and value != environment:
            place = document.places[(section, key)]
            says = f'must equal INSIGHTS_ENV ("{environment}"; default: "dev")'
            problem = Problem("error", says, place.file, place.line, None, f"{section}.{key}", f'"{value}"')
            problems.append(problem)
    return problems
