"""The types of a dashboard's parameters: what each accepts, binds in SQL, and says of itself in OpenAPI and help."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from orchestration.config.tokens import Section, Text
from orchestration.errors import BadInputError

_INTEGER = re.compile(r"-?[0-9]{1,9}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Month = Annotated[str, Field(pattern=f"^{_MONTH.pattern}$")]
JsonSchema = dict[str, Any]


class ParameterType(Section):
    """What every type has: a description, and these methods; a value that was not given is the default or None."""

    is_list: ClassVar[bool] = False
    description: Text

    def default_value(self) -> Any:
        """Return the normal value of a parameter that was not given."""
        return None

    def normal(self, name: str, value: object) -> Any:
        """Return the normal form of a given value; raises BadInputError, which names the parameter."""
        raise NotImplementedError

    def bound(self, value: Any) -> Any:
        """Return what is bound in SQL for a normal value."""
        return value

    def json_schema(self) -> JsonSchema:
        """Return the JSON Schema of a value in a query string."""
        raise NotImplementedError

    def accepts(self) -> str:
        """Return what it accepts and its default, in a sentence for the list of dashboards."""
        raise NotImplementedError

    def mistake(self) -> tuple[str, str] | None:
        """Return the key and the mistake of a declaration that contradicts itself."""
        return None


class IntegerParameter(ParameterType):
    """A whole number between two bounds."""

    type: Literal["integer"]
    default: int
    min: int
    max: int

    @override
    def default_value(self) -> Any:
        return self.default

    @override
    def normal(self, name: str, value: object) -> Any:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if type(value) is not int or not self.min <= value <= self.max:
            raise BadInputError(
                f"Parameter {name} is {value!r}; it must be a whole number from {self.min} to {self.max}."
            )
        return value

    @override
    def json_schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.min, "maximum": self.max, "default": self.default}

    @override
    def accepts(self) -> str:
        return f"{self.min} to {self.max}; default: {self.default}."

    @override
    def mistake(self) -> tuple[str, str] | None:
        return _mistake_of_bounds(self)


class MonthParameter(ParameterType):
    """A month such as 2025-11 between two bounds. Without a value, NULL is bound."""

    type: Literal["month"]
    default: Month | None = None
    min: Month
    max: Month

    @override
    def default_value(self) -> Any:
        return self.default

    @override
    def normal(self, name: str, value: object) -> Any:
        if not (isinstance(value, str) and _MONTH.fullmatch(value) and self.min <= value <= self.max):
            raise BadInputError(
                f"Parameter {name} is {value!r}; it must be a month such as 2025-11, {self.min} to {self.max}."
            )
        return value

    @override
    def bound(self, value: Any) -> Any:
        return value and date.fromisoformat(f"{value}-01")

    @override
    def json_schema(self) -> JsonSchema:
        limits = f"A month from {self.min} to {self.max}."
        years = "|".join(f"{year:04}" for year in range(int(self.min[:4]), int(self.max[:4]) + 1))
        return {"type": "string", "pattern": f"^({years})-(0[1-9]|1[0-2])$", "description": limits}

    @override
    def accepts(self) -> str:
        return f"{self.min} to {self.max}."

    @override
    def mistake(self) -> tuple[str, str] | None:
        return _mistake_of_bounds(self)


class DayParameter(ParameterType):
    """A day such as 2025-11-30. Without a value, NULL is bound."""

    type: Literal["day"]

    @override
    def normal(self, name: str, value: object) -> Any:
        if not (isinstance(value, str) and _DAY.fullmatch(value) and _is_day(value)):
            raise BadInputError(f"Parameter {name} is {value!r}; it must be a day such as 2025-11-30.")
        return value

    @override
    def bound(self, value: Any) -> Any:
        return value and date.fromisoformat(value)

    @override
    def json_schema(self) -> JsonSchema:
        return {"type": "string", "format": "date"}

    @override
    def accepts(self) -> str:
        return "A day such as 2025-11-30; default: none."


class TextParameter(ParameterType):
    """A text that rows are compared with. Without a value, NULL is bound."""

    type: Literal["text"]
    max_length: Annotated[int, Field(gt=0, le=1000)]

    @override
    def normal(self, name: str, value: object) -> Any:
        is_text = isinstance(value, str) and 0 < len(value) <= self.max_length
        if not (is_text and _is_storable(str(value))):
            raise BadInputError(f"Parameter {name} must be a text of 1 to {self.max_length} characters.")
        return value

    @override
    def json_schema(self) -> JsonSchema:
        return {"type": "string", "minLength": 1, "maxLength": self.max_length, "pattern": r"^[^\u0000]*$"}

    @override
    def accepts(self) -> str:
        return f"At most {self.max_length} characters; default: none."


class ChoiceParameter(ParameterType):
    """One of a list of tokens; default: the first."""

    type: Literal["choice"]
    values: Annotated[list[Text], Field(min_length=2)]

    @override
    def default_value(self) -> Any:
        return self.values[0]

    @override
    def normal(self, name: str, value: object) -> Any:
        if value not in self.values:
            raise BadInputError(f"Parameter {name} is {value!r}; it must be one of {', '.join(self.values)}.")
        return value

    @override
    def json_schema(self) -> JsonSchema:
        return {"type": "string", "enum": list(self.values), "default": self.values[0]}

    @override
    def accepts(self) -> str:
        return f"One of {','.join(self.values)}; default: {self.values[0]}."

    @override
    def mistake(self) -> tuple[str, str] | None:
        return None if len(set(self.values)) == len(self.values) else ("values", "must be distinct")


class TokensParameter(ParameterType):
    """A selection from a list of tokens; default: all."""

    type: Literal["tokens"]
    is_list: ClassVar[bool] = True
    values: Annotated[list[Text], Field(min_length=1)]

    @override
    def default_value(self) -> Any:
        return tuple(self.values)

    @override
    def normal(self, name: str, value: object) -> Any:
        given = value.split(",") if isinstance(value, str) else value
        if (
            not isinstance(given, list | tuple | set | frozenset)
            or not given
            or not all(a in self.values for a in given)
        ):
            raise BadInputError(
                f"Parameter {name} is {value!r}; it must be any of {', '.join(self.values)}, comma-separated."
            )
        return tuple(token for token in self.values if token in given)

    @override
    def bound(self, value: Any) -> Any:
        return list(value)

    @override
    def json_schema(self) -> JsonSchema:
        return tokens_schema(self.values)

    @override
    def accepts(self) -> str:
        return f"Any of {','.join(self.values)}; default: all."

    @override
    def mistake(self) -> tuple[str, str] | None:
        if len(set(self.values)) < len(self.values) or any("," in value for value in self.values):
            return "values", "must be distinct and contain no comma"
        return None


Parameter = Annotated[
    IntegerParameter | MonthParameter | DayParameter | TextParameter | ChoiceParameter | TokensParameter,
    Field(discriminator="type"),
]


def tokens_schema(values: list[str] | tuple[str, ...]) -> JsonSchema:
    """Return the JSON Schema of a selection from a list of tokens."""
    return {"type": "array", "items": {"type": "string", "enum": list(values)}, "minItems": 1}


def _mistake_of_bounds(parameter: IntegerParameter | MonthParameter) -> tuple[str, str] | None:
    if parameter.min > parameter.max:  # type: ignore[operator]
        return "min", f"is above max ({parameter.max})"
    if parameter.default is not None and not parameter.min <= parameter.default <= parameter.max:  # type: ignore[operator]
        return "default", f"must be between {parameter.min} and {parameter.max}"
    return None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL can store a text: it has no NUL and no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
