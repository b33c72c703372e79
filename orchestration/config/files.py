"""Reads and validates the configuration files; an error names the file, the key, the value and what would be right."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError

from orchestration.config.model import ConfigFile, Environment, Insights, PerEnvironment, Profile, ProfilesFile
from orchestration.errors import InsightsError

Model = TypeVar("Model", bound=BaseModel)

PROJECT = Path(__file__).resolve().parents[2]
CONFIG_FILE = Path("config/insights/config.yaml")
PROFILES_FILE = Path("config/organization_profiles.yaml")


@dataclass(frozen=True)
class Settings:
    """What the files say, for the ENVIRONMENT that INSIGHTS_ENV names (specification, sections 2.6 and 5)."""

    environment: Environment
    insights: Insights
    profiles: dict[str, Profile]

    @cached_property
    def warehouse_url(self) -> str:
        """URL of the warehouse; raises InsightsError when INSIGHTS_WAREHOUSE_URL is not set."""
        return _expanded(self.insights.warehouse.connection_url, "insights.warehouse.connection_url")

    @cached_property
    def core_api_url(self) -> str | None:
        """Where review cases are posted; None when INSIGHTS_CORE_API_URL is not set, which means a dry run."""
        return _optional(self.insights.reviews.url)

    @cached_property
    def core_api_token(self) -> str | None:
        """The bearer token of Core Services; None when INSIGHTS_CORE_API_TOKEN is not set."""
        return _optional(self.insights.reviews.token)

    @cached_property
    def default_profile_key(self) -> str:
        """The profile that applies where nothing else does; INSIGHTS_DEFAULT_PROFILE_KEY wins over the file."""
        return os.environ.get("INSIGHTS_DEFAULT_PROFILE_KEY") or self.insights.patterns.default_profile_key


def load_settings(project: Path = PROJECT) -> Settings:
    """Read both files below `project`; raises InsightsError with everything that is wrong with them."""
    environment = os.environ.get("INSIGHTS_ENV", "dev")
    if environment not in get_args(Environment):
        raise InsightsError(f"INSIGHTS_ENV is '{environment}'; it must be one of {', '.join(get_args(Environment))}.")
    insights = _validated(project / CONFIG_FILE, ConfigFile).insights
    settings = Settings(
        cast(Environment, environment), insights, _validated(project / PROFILES_FILE, ProfilesFile).profiles
    )
    _check_profile_keys(settings)
    return settings


def dbt_variables(settings: Settings) -> dict[str, Any]:
    """The variables that the dbt models read; the defaults in dbt_project.yml are these values of the shipped files."""
    insights = settings.insights
    return {
        "source_schema": insights.source.schema_name,
        "read_only_user": insights.warehouse.read_only_user,
        "default_profile_key": insights.patterns.default_profile_key,
        "overrides_by_domain": dict(insights.patterns.overrides_by_domain),
        "overlap_hours": insights.etl.overlap_hours,
        "patterns": {name: getattr(insights.patterns, name).model_dump() for name in ("weekly", "monthly", "yearly")},
        **{name: per_environment(getattr(insights.retention, name)) for name in type(insights.retention).model_fields},
    }


def per_environment(value: PerEnvironment) -> dict[str, int]:
    """One value for each ENVIRONMENT; `offline` takes prod's unless it has its own (decision D1)."""
    if isinstance(value, int):
        return dict.fromkeys(get_args(Environment), value)
    return {"offline": value["prod"]} | {str(name): number for name, number in value.items()}


def _validated(file: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise InsightsError(f"{file} does not exist.") from error
    except yaml.YAMLError as error:
        raise InsightsError(f"{file} is not valid YAML: {error}") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (it is {e['input']!r})" for e in error.errors()]
        raise InsightsError(f"{file}:\n  " + "\n  ".join(problems)) from error


def _check_profile_keys(settings: Settings) -> None:
    patterns = settings.insights.patterns
    wanted = {
        "insights.patterns.default_profile_key": patterns.default_profile_key,
        "INSIGHTS_DEFAULT_PROFILE_KEY": settings.default_profile_key,
        **{f"insights.patterns.overrides_by_domain.{k}": v for k, v in patterns.overrides_by_domain.items()},
    }
    unknown = [f"{key} is '{value}'" for key, value in wanted.items() if value not in settings.profiles]
    if unknown:
        known = ", ".join(settings.profiles)
        raise InsightsError(f"{'; '.join(unknown)}, but {PROFILES_FILE} has only these profiles: {known}.")


def _optional(value: str) -> str | None:
    return os.environ.get(value[2:-1]) if value.startswith("${") and value.endswith("}") else value or None


def _expanded(value: str, key: str) -> str:
    if value.startswith("${") and value.endswith("}"):
        name = value[2:-1]
        if not os.environ.get(name):
            raise InsightsError(f"{key} is read from the environment variable {name}, which is not set.")
        return os.environ[name]
    return value
