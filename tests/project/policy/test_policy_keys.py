"""The key of a model is written once, tested once, and never null."""

from __future__ import annotations

from collections import Counter
from typing import Any

from support.policy import Node, lasting, manifest, models, nodes

# What tasks may lack, and what then makes a group of its own. unique_grain takes two NULLs for equal.
GROUPED_WITHOUT = {"domain", "type"}


def test_every_key_is_written_once_and_proven_once() -> None:
    keyed = [m for m in models() if m["config"]["unique_key"]]
    assert {m["name"] for m in models("models/marts/")} <= {m["name"] for m in keyed}
    assert {m["name"] for m in models() if m["config"]["materialized"] == "incremental"} <= {m["name"] for m in keyed}
    proven = Counter(
        test["attached_node"] for test in nodes("test") if _kind(test) in ("unique_grain", "is_key") and _of_key(test)
    )
    assert proven == Counter(m["unique_id"] for m in keyed)
    for model in keyed:
        written = [
            c["name"] for c in model["columns"].values() if "primary_key" in [k["type"] for k in c["constraints"]]
        ]
        assert (written, model["constraints"]) == ([], []), model["name"]


def test_no_key_is_null() -> None:
    keeping = lasting()
    for model in [*models("models/marts/"), *keeping]:
        nullable = {c for c in _key(model) if not _is_never_null(model["columns"][c], mart=model["name"])}
        assert nullable <= (GROUPED_WITHOUT if model not in keeping else set()), model["name"]


def _key(model: Node) -> list[str]:
    key = model["config"]["unique_key"] or []
    return [key] if isinstance(key, str) else key


def _kind(test: Node) -> str | None:
    return (test.get("test_metadata") or {}).get("name")


def _of_key(test: Node) -> bool:
    """Return whether a test covers the whole key of its model, not another column that happens to be unique."""
    key = _key(manifest()["nodes"][test["attached_node"]])
    if _kind(test) == "unique_grain":
        return bool(test["test_metadata"]["kwargs"].get("columns", key) == key)
    return [test["column_name"]] == key


def _is_never_null(column: dict[str, Any], *, mart: str) -> bool:
    """Return whether a constraint or, in a materialized view, a test forbids NULL."""
    tested = {
        (test["attached_node"].split(".")[-1], name)
        for test in nodes("test")
        if _kind(test) == "never_null"
        for name in test["test_metadata"]["kwargs"]["columns"]
    }
    return "not_null" in [k["type"] for k in column["constraints"]] or (mart, column["name"]) in tested
