"""Formats the resolved configuration: each value with its origin; secrets are masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from orchestration.config.expansion import REFERENCE, expand, is_late
from orchestration.config.masking import MASK, is_secret_key, shown
from orchestration.config.problems import KeyPath, dotted
from orchestration.config.rules import place_of
from orchestration.config.secrets.by_file import Variables
from orchestration.config.settings import Settings
from orchestration.config.tokens import PerEnvironment
from orchestration.config.variables import VARIABLES, variable_value

NOT_SET = "(not set)"


@dataclass(frozen=True)
class Resolved:
    """A value as it counts: the key or variable, the masked value as a text, and where it comes from."""

    key: str
    value: str
    origin: str

    def __str__(self) -> str:
        """Return one line: `key = value  # origin`."""
        return f"{self.key} = {self.value}  # {self.origin}"


def resolved_values(settings: Settings, given: Mapping[str, str]) -> Iterator[Resolved]:
    """Yield the value of each key of the files and of each variable, in the settings' ENVIRONMENT.

    `given` are the environment variables. A file that cannot be read counts as not set here; `check` reports it.
    """
    environ = Variables(given, on_problem=lambda problem: None)
    sections: dict[str, object] = {"insights": settings.insights, "etl_dags": settings.dags}
    for name, section in (sections | {"profiles": settings.profiles}).items():
        for path, value in _leaves(section, (name,)):
            yield _resolved(settings, path, value, environ)
    for variable in VARIABLES:
        value = variable_value(variable, environ)
        place = f"the file {file}" if (file := environ.file(variable.name)) else "environment"
        origin = place if value else f"default: {variable.default}" if variable.default else "no default"
        yield Resolved(variable.name, value or NOT_SET, f"{origin}; used by {variable.used_by}")


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Yield each value below a section with its path in the file."""
    if isinstance(value, BaseModel) and not isinstance(value, PerEnvironment):
        for name, field in type(value).model_fields.items():
            yield from _leaves(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, BaseModel) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _resolved(settings: Settings, path: KeyPath, value: object, environ: Variables) -> Resolved:
    key, origin = dotted(path), _origin(settings, path, value)
    if isinstance(value, PerEnvironment):
        value = value.of(settings.environment)
    if path == ("insights", "patterns", "default_profile_key") and environ.get("INSIGHTS_DEFAULT_PROFILE_KEY"):
        value, origin = environ["INSIGHTS_DEFAULT_PROFILE_KEY"], f"INSIGHTS_DEFAULT_PROFILE_KEY; not {origin}"
    names = place_of(settings, path).variables
    text = shown(key, value, None)
    if is_late(path):
        expanded, missing = expand(str(value), environ)
        text = NOT_SET if missing else shown(key, expanded, None)
    if any(is_secret_key(name) or environ.file(name) for name in names) and text != NOT_SET:
        text = MASK
    return Resolved(key, text, origin)


def _origin(settings: Settings, path: KeyPath, value: object) -> str:
    """Return "default" or file and line of a value, its variables, and "prod's value" if `offline` uses that."""
    own: KeyPath = (*path, settings.environment)
    from_prod: KeyPath = (*path, "prod")
    if path not in settings.places:
        names = REFERENCE.findall(str(value)) if is_late(path) else []
        return ", ".join(["default", *(f"${{{name}}}" for name in names)])
    is_prods = settings.environment == "offline" and own not in settings.places and from_prod in settings.places
    place = place_of(settings, from_prod if is_prods else own)
    parts = [f"{place.file}:{place.line}", *(f"${{{name}}}" for name in place.variables)]
    return ", ".join(parts + ["prod's value"] * is_prods)
