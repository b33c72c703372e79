"""The parameters that Orgo's web client and its API's own clients send, as values of a dashboard's parameters.

Two spellings of several names exist. Each is checked and described by the type of the dashboard's parameter that it
stands for, so nothing is declared twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from orchestration.api.parameters import Pairs
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.question import WrongParametersError
from orchestration.errors import BadInputError

ORGANIZATION_NAMES = ("organization_id", "organizationId")
# More days than there can be before any horizon of the data.
WINDOWS = {"7d": 7, "30d": 30, "90d": 90, "180d": 180, "365d": 365, "all": 36600}
TIMEFRAMES = ("7d", "30d", "90d")
SEVERITIES = ("MINOR", "MODERATE", "MAJOR", "CRITICAL")


@dataclass(frozen=True, eq=False)
class ClientParameter:
    """One parameter: its names, and the dashboard's parameter `target` that it is a value of.

    `convert` makes a value of the target of a client's value, and `schema` describes the client's values; without them,
    they are those of the target.
    """

    names: tuple[str, ...]
    target: str
    description: str
    convert: Callable[[str], object] | None = None
    schema: Mapping[str, Any] | None = None

    def read(self, dashboard: Dashboard, values: Sequence[str]) -> object:
        """Return the normal value; raises BadInputError, which names the parameter."""
        name, declared = self.names[0], dashboard.meta.parameters[self.target]
        if not declared.is_list and len(set(values)) > 1:
            raise BadInputError(f"Parameter {' or '.join(self.names)} is given with different values.")
        value: object = ",".join(values) if declared.is_list else values[0]
        if self.convert:
            try:
                value = self.convert(values[0])
            except (KeyError, ValueError, OverflowError):
                raise BadInputError(f"Parameter {name} is {values[0]!r}; {self.description}") from None
        return declared.normal(name, value)

    def described(self, dashboard: Dashboard) -> list[dict[str, Any]]:
        """Return the OpenAPI parameters: one for each name."""
        declared = dashboard.meta.parameters[self.target]
        schema = _or_empty(self.schema or declared.json_schema())
        found = {"in": "query", "required": False, "description": self.description, "schema": schema}
        return [{"name": name, **found} for name in self.names]


def _or_empty(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of values of a parameter whose empty value is none."""
    if schema.get("type") == "array":
        return {**schema, "items": _or_empty(schema["items"])}
    return {"anyOf": [dict(schema), {"const": ""}]}


def _day(text: str) -> str:
    """Return the day (UTC) of a day or moment in ISO 8601."""
    moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign in a query string is a space
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()


def _at_least(severity: str) -> list[str]:
    return list(SEVERITIES[SEVERITIES.index(severity) :])


DAY = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
PERIOD = (
    ClientParameter(
        ("window",),
        "days",
        f"must be one of {', '.join(WINDOWS)}: days up to the horizon; `from` and `to` come first.",
        WINDOWS.__getitem__,
        {"type": "string", "enum": list(WINDOWS), "default": "30d"},
    ),
    ClientParameter(("from", "startDate"), "from", "must be the first day, in ISO 8601 (UTC).", _day, DAY),
    ClientParameter(("to", "endDate"), "to", "must be the last day, inclusive, in ISO 8601 (UTC).", _day, DAY),
)
TIMEFRAME = ClientParameter(
    ("timeframe",),
    "days",
    f"must be one of {', '.join(TIMEFRAMES)}.",
    lambda text: 2 * WINDOWS[TIMEFRAMES[TIMEFRAMES.index(text)]],  # and as many days before, to compare with
    {"type": "string", "enum": list(TIMEFRAMES), "default": TIMEFRAMES[1]},
)
DOMAIN = ClientParameter(("domain",), "domain", "Only tasks of this domain.")
GRANULARITY = ClientParameter(("granularity",), "granularity", "Length of a group; weeks begin on Monday.")
GROUP_BY = ClientParameter(("groupBy",), "group_by", "The property that tasks are grouped by; type is the domain.")
PROFILE = ClientParameter(("profile_code", "profileKey"), "profile", "Only domains that this profile applies to.")
MIN_SEVERITY = ClientParameter(
    ("minSeverity",),
    "severities",
    f"must be one of {', '.join(SEVERITIES)}: only tasks that are at least as severe.",
    _at_least,
    {"type": "string", "enum": list(SEVERITIES)},
)
ONLY_OPEN = ClientParameter(
    ("onlyOpen",),
    "state",
    "must be true or false: only open tasks count as breaches. Default: true for rows a task, else false.",
    {"true": "open", "false": "all"}.__getitem__,
    {"type": "boolean"},
)


def tokens(name: str) -> ClientParameter:
    """Return a list of tokens, such as `statuses[]`, which may be repeated or separated by commas."""
    return ClientParameter((f"{name}[]", name), name, f"Only tasks of these {name}; repeated, or separated by commas.")


def read(
    dashboard: Dashboard, known: Sequence[ClientParameter], others: Collection[str], pairs: Pairs
) -> dict[str, object]:
    """Return the values of the dashboard's parameters that a query string gives; an empty value is none.

    `others` are names of parameters that are read elsewhere.

    Raises WrongParametersError with everything that is wrong.
    """
    by_name = {name: parameter for parameter in known for name in parameter.names}
    given: dict[ClientParameter, list[str]] = {}
    wrong = {}
    for name, value in pairs:
        if name in by_name and value:
            given.setdefault(by_name[name], []).append(value)
        elif name not in by_name and name not in others:
            wrong[name] = f"There is no parameter {name!r} here."
    values: dict[str, object] = {}
    for parameter, texts in given.items():
        try:
            values[parameter.target] = parameter.read(dashboard, texts)
        except BadInputError as error:
            wrong[parameter.names[0]] = str(error)
    first, last = values.get("from"), values.get("to")
    if first:
        values.pop("days", None)  # so that the same period is the same question
    if first and last and date.fromisoformat(str(first)) > date.fromisoformat(str(last)):
        wrong["from"] = "Parameter from must not be after to."
    if wrong:
        raise WrongParametersError(wrong)
    return values
