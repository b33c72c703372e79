"""What each type of parameter accepts, binds and says; and declarations that contradict themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

from orchestration.dashboards.parameter_types import Parameter
from orchestration.errors import BadInputError

PARAMETER: TypeAdapter[Any] = TypeAdapter(Parameter)
TYPES: dict[str, dict[str, Any]] = {
    "integer": {"default": 28, "min": 1, "max": 366},
    "month": {"min": "1970-01", "max": "2099-12"},
    "day": {},
    "text": {"max_length": 5},
    "choice": {"values": ["day", "week"]},
    "tokens": {"values": ["A", "B", "C"]},
}


def parameter(kind: str, **other: Any) -> Any:
    return PARAMETER.validate_python({"type": kind, "description": "Of a test.", **TYPES[kind], **other})


@pytest.mark.parametrize(
    ("kind", "given", "normal", "bound"),
    [
        ("integer", "028", 28, 28),
        ("integer", 366, 366, 366),
        ("month", "2025-11", "2025-11", date(2025, 11, 1)),
        ("day", "2024-02-29", "2024-02-29", date(2024, 2, 29)),
        ("text", "ab'c%", "ab'c%", "ab'c%"),
        ("choice", "week", "week", "week"),
        ("tokens", "C,A,A", ("A", "C"), ["A", "C"]),
        ("tokens", ["B"], ("B",), ["B"]),
    ],
)
def test_a_value_and_what_is_bound(kind: str, given: object, normal: object, bound: object) -> None:
    found = parameter(kind)
    assert found.normal("p", given) == normal
    assert found.bound(normal) == bound


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *(("integer", value) for value in ("0", 367, "1e1", True, 1.0, "", "٣", [1])),
        *(("month", value) for value in ("2025-13", "1969-12", "2100-01", "2025-1", 202511, "2025-11\n")),
        *(
            ("day", value)
            for value in ("2025-02-29", "2025-2-1", "20250201", "0000-01-01", 1, "2025-02-01\n", "2025-0\u0661-01")
        ),
        *(("text", value) for value in ("", "abcdef", "a\0", "\ud800", 1, ["a"])),
        *(("choice", value) for value in ("month", "", "day,week", ["day"], 1)),
        *(("tokens", value) for value in ("", "A,", "D", [], [["A"]], {"A": 1}, 1)),
    ],
)
def test_a_wrong_value_is_refused_by_name(kind: str, given: object) -> None:
    with pytest.raises(BadInputError, match="Parameter p "):
        parameter(kind).normal("p", given)


def test_without_a_value() -> None:
    defaults = {kind: parameter(kind).default_value() for kind in TYPES}
    assert defaults == {
        "integer": 28,
        "month": None,
        "day": None,
        "text": None,
        "choice": "day",
        "tokens": ("A", "B", "C"),
    }
    assert parameter("month", default="2025-11").default_value() == "2025-11"
    for kind in ("month", "day", "text"):
        assert parameter(kind).bound(None) is None


@pytest.mark.parametrize("kind", TYPES)
def test_the_schema_and_the_sentence(kind: str) -> None:
    found = parameter(kind)
    good = {"integer": 28, "month": "2025-11", "day": "2025-11-30", "text": "abc", "choice": "week", "tokens": ["A"]}
    bad = {"integer": 0, "month": "1969-12", "day": 1, "text": "abcdef", "choice": "month", "tokens": ["D"]}
    jsonschema.validate(good[kind], found.json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad[kind], found.json_schema())
    assert found.accepts().endswith(".")


@pytest.mark.parametrize(
    ("kind", "other", "key"),
    [
        ("integer", {"min": 9, "max": 8}, "min"),
        ("integer", {"default": 0}, "default"),
        ("month", {"default": "1969-12"}, "default"),
        ("choice", {"values": ["a", "a"]}, "values"),
        ("tokens", {"values": ["a", "a"]}, "values"),
        ("tokens", {"values": ["a,b"]}, "values"),
    ],
)
def test_a_declaration_that_contradicts_itself(kind: str, other: dict[str, Any], key: str) -> None:
    assert parameter(kind).mistake() is None
    mistake = parameter(kind, **other).mistake()
    assert mistake is not None
    assert mistake[0] == key


def test_a_declaration_of_no_type() -> None:
    with pytest.raises(ValidationError):
        PARAMETER.validate_python({"type": "float", "description": "Of a test."})
