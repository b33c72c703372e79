"""The one statement that answers a question: every panel of the dashboard as one JSON text.

Names and fragments come from the reviewed definition, whatever an asker gives is bound. Each panel is bounded by the
organization, by the visibilities asked for, and by its limit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import sql

from orchestration.dashboards.definitions import LOAD_LOG, ORGANIZATIONS, AnonymisedPanel, Dashboard, Panel
from orchestration.dashboards.question import Form, Question
from orchestration.warehouse.names import Names

# What a panel is made of. What is left out of an anonymised panel for its size is not even counted in left_out.
PANEL = """
{name} as (
    select {columns}
    from {relation}
    where organization_id = %(organization)s and visibility = any(%(visibilities)s) and ({where}) and ({large_enough})
    {group_by}
)"""
SHOWN = """
{key}::text, json_build_object(
    'horizon', {horizon},
    'rows', (select coalesce(json_agg(row_to_json(shown)), '[]') from (
        select * from {name} order by {order} limit {limit}
    ) as shown),
    'left_out', (select greatest(count(*) - {limit}, 0) from {name})
)"""
STATEMENT = """
with {panels}
select
    json_build_object({shown})::text as body,
    (select max(load_log_id) from {load_log} where relation_name = any(%(relations)s)) as load,
    exists (select from {organizations} where organization_id = %(organization)s) as is_known
"""
HORIZON = "(select horizon from {load_log} where relation_name = {model} order by load_log_id desc limit 1)"


@dataclass(frozen=True)
class Statement:
    """The text that answers every question of one form of a dashboard, and the digest that stands for it in keys."""

    text: sql.Composed
    digest: str


def statement(dashboard: Dashboard, form: Form, names: Names) -> Statement:
    """The statement of a form of the dashboard, on the warehouse of these names."""
    load_log = names.ops(LOAD_LOG)
    parts = [_panel(dashboard, name, panel, form, load_log) for name, panel in dashboard.meta.panels.items()]
    text = sql.SQL(STATEMENT).format(
        panels=sql.SQL(",").join(rows for rows, _ in parts),
        shown=sql.SQL(",").join(shown for _, shown in parts),
        load_log=load_log,
        organizations=sql.Identifier(*dashboard.relations[ORGANIZATIONS]),
    )
    return Statement(text, hashlib.sha256(text.as_string().encode()).hexdigest()[:16])


def bound(dashboard: Dashboard, question: Question) -> dict[str, Any]:
    """The values that are bound in the statement: everything that the asker said."""
    values: dict[str, Any] = {
        "organization": question.organization_id,
        "visibilities": list(question.visibilities),
        "relations": sorted(dashboard.relations),
        "min_group_size": question.min_group_size,
    }
    for name, value in question.parameters:
        values[name] = list(value) if isinstance(value, tuple) else value
        if dashboard.meta.parameters[name].type == "month" and value is not None:
            values[name] = date.fromisoformat(f"{value}-01")
    return values


def _panel(
    dashboard: Dashboard, name: str, panel: Panel, form: Form, load_log: sql.Identifier
) -> tuple[sql.Composed, sql.Composed]:
    """The CTE of a panel's rows, and its place in the JSON."""
    own: Panel | AnonymisedPanel = panel
    words: dict[str, sql.Composable] = {p: sql.Placeholder(p) for p in (*dashboard.meta.parameters, "min_group_size")}
    words["horizon"] = horizon = sql.SQL(HORIZON).format(load_log=load_log, model=sql.Literal(panel.model))
    large_enough: sql.Composable = sql.SQL("true")
    if form == "anonymised":
        if panel.anonymised is None:
            raise ValueError(f"panel {name} of {dashboard.name} has no anonymised form")
        own = panel.anonymised
        large_enough = sql.SQL("{} >= {}").format(_fragment(own.group_size, words), words["min_group_size"])
    columns = sql.SQL(", ").join(
        sql.SQL("{} as {}").format(_fragment(text, words), sql.Identifier(column))
        for column, text in {**own.dimensions, **own.measures}.items()
    )
    places = sql.SQL(", ").join(sql.SQL(str(place)) for place in range(1, len(own.dimensions) + 1))
    rows = sql.SQL(PANEL).format(
        name=sql.Identifier(name),
        columns=columns,
        relation=sql.Identifier(*dashboard.relations[panel.model]),
        where=_fragment(panel.where, words),
        large_enough=large_enough,
        group_by=sql.SQL("group by {}").format(places) if own.dimensions else sql.SQL(""),
    )
    shown = sql.SQL(SHOWN).format(
        key=sql.Literal(name),
        horizon=horizon,
        name=sql.Identifier(name),
        order=_fragment(own.order, words),
        limit=sql.Literal(panel.limit),
    )
    return rows, shown


def _fragment(text: str, words: dict[str, sql.Composable]) -> sql.Composed:
    """A fragment of the definition with its words replaced; a percent sign in it is one."""
    return sql.SQL(text.replace("%", "%%")).format(**words)
