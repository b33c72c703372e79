"""The tokens of the specification (section 1.2), and the value types of the configuration files."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

# Static types cannot be read from a file, so these repeat four enums of seeds/tokens.csv; a test compares them.
Environment = Literal["dev", "staging", "prod", "offline"]
Visibility = Literal["PUBLIC", "INTERNAL", "RESTRICTED", "ANONYMISED"]
Priority = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
Severity = Literal["MINOR", "MODERATE", "MAJOR", "CRITICAL"]

# The operational tables that change on every working day: those with `freshness` in _staging__sources.yml.
Watched = Literal["tasks", "task_events", "task_comments"]
WATCHED: tuple[Watched, ...] = get_args(Watched)
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)


class Expanded(str):
    """A string with replaced `${NAME}`; only such a string is accepted as a number or a boolean."""

    __slots__ = ()


def _number(value: object) -> object:
    return int(value) if isinstance(value, Expanded) and value.isascii() and value.isdigit() else value


def _boolean(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, Expanded) else value


def _calendar_date(value: str) -> str:
    try:
        if date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise PydanticCustomError("calendar_date", 'must be a date such as "2026-01-31"')


Count = Annotated[int, BeforeValidator(_number), Field(gt=0, lt=2**31)]
GroupSize = Annotated[int, BeforeValidator(_number), Field(ge=2, lt=2**31)]  # a group of one identifies a person
Days = Annotated[int, BeforeValidator(_number), Field(gt=0, le=36500)]
Moment = Annotated[int, BeforeValidator(_number), Field(ge=0, le=60_000)]  # milliseconds
Port = Annotated[int, BeforeValidator(_number), Field(gt=0, lt=2**16)]
ClockSkew = Annotated[int, BeforeValidator(_number), Field(ge=0, le=300)]  # a longer one would revive expired tokens
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]
_LINK = r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?/[^\s{}]*\{%s\}[^\s{}]*$"  # the id is never part of the host
CaseLink = Annotated[str, Field(pattern=_LINK % "case_id")]
TaskLink = Annotated[str, Field(pattern=_LINK % "task_id")]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Share = Annotated[float, Field(gt=0, le=1)]
Switch = Annotated[bool, BeforeValidator(_boolean)]
Text = Annotated[str, Field(min_length=1)]
Token = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
MailAddress = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$", max_length=254)
]
PageAddress = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$")]
Place = Annotated[str, Field(pattern=r"^s3://[a-z0-9.-]+(/[A-Za-z0-9._/-]+)?$")]
SqlName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
CalendarDate = Annotated[str, AfterValidator(_calendar_date)]


class Section(BaseModel):
    """A mapping that allows no unknown keys and no conversion between types."""

    # A validator is built with the file's model that contains the section, not for each class when it is imported.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def _number_or_mapping(schema: dict[str, Any]) -> None:
    mapping = {key: schema.pop(key) for key in list(schema) if key not in ("title", "description")}
    mapping["required"] = [name for name in mapping["required"] if name != "offline"]
    schema["anyOf"] = [mapping["properties"]["dev"] | {"title": "Every environment"}, mapping]


class PerEnvironment(Section):
    """A positive number for each ENVIRONMENT, written as one number or as a mapping.

    `offline` is optional and defaults to prod's value (decision D1).
    """

    model_config = ConfigDict(json_schema_extra=_number_or_mapping)

    dev: Count
    staging: Count
    prod: Count
    offline: Count

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, value: object) -> object:
        if isinstance(value, dict):
            return {"offline": value.get("prod")} | value
        return dict.fromkeys(ENVIRONMENTS, value)

    def of(self, environment: Environment) -> int:
        """Return the number of an environment."""
        number: int = getattr(self, environment)
        return number


class Metadata(Section):
    """`metadata:` of every configuration file of Orgo."""

    environment: Environment = Field(description="The ENVIRONMENT; must equal INSIGHTS_ENV.")
    version: Annotated[str, Field(pattern=r"^3\.\d+$")] = Field(description='Version of Orgo\'s format, "3.x".')
    last_updated: CalendarDate = Field(description='Date of the last change, "YYYY-MM-DD", in quotes.')
