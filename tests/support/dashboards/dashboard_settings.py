"""Settings with other values. Imports no dbt, which would cost each client process of the tests two seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from orchestration.config.files import Settings
from orchestration.config.tokens import PerEnvironment


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with other values, by dotted key below `insights`."""
    insights = settings.insights
    for key, value in values.items():
        insights = _with(insights, key.split("."), value)
    return dataclasses.replace(settings, insights=insights)


def _with(section: Any, path: list[str], value: Any) -> Any:
    if not path:
        return PerEnvironment.model_validate(value) if isinstance(section, PerEnvironment) else value
    return section.model_copy(update={path[0]: _with(getattr(section, path[0]), path[1:], value)})
