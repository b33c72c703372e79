"""Builds the statement that answers a question: all panels of a dashboard as one JSON text.

Names and fragments come from the reviewed definition; every value from a client is a bound parameter. Each panel is
restricted to the organization and the requested visibilities, and to its limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from orchestration.dashboards.definitions import LOAD_LOG, ORGANIZATIONS, Dashboard
from orchestration.dashboards.panels import AnonymisedPanel, Panel
from orchestration.dashboards.question import Form, Question
from orchestration.warehouse.names import Names

# left_out does not count the groups that an anonymised panel suppresses for their size: their number would leak.
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
# A panel whose model does not exist (decision D170).
MISSING = """
{key}::text, json_build_object('horizon', null, 'rows', json_build_array(), 'left_out', 0, 'missing', {model}::text)
"""
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
    """The SQL that answers every question about one form of a dashboard, and its digest for cache keys."""

    text: sql.Composed
    digest: str


def statement(dashboard: Dashboard, form: Form, names: Names, missing: Collection[str] = ()) -> Statement:
    """Return the statement for one form of a dashboard on the warehouse with these names.

    Panels of the models in `missing` say so instead of rows; at least one panel must have another model.
    """
    load_log = names.ops(LOAD_LOG)
    panels: list[sql.Composable] = []
    shown: list[sql.Composable] = []
    for name, panel in dashboard.meta.panels.items():
        if panel.model in missing:
            shown.append(sql.SQL(MISSING).format(key=sql.Literal(name), model=sql.Literal(panel.model)))
        else:
            rows, entry = _panel(dashboard, name, panel, form, load_log)
            panels.append(rows)
            shown.append(entry)
    text = sql.SQL(STATEMENT).format(
        panels=sql.SQL(",").join(panels),
        shown=sql.SQL(",").join(shown),
        load_log=load_log,
        organizations=sql.Identifier(*dashboard.relations[ORGANIZATIONS]),
    )
    return Statement(text, hashlib.sha256(text.as_string().encode()).hexdigest()[:16])


def bound(dashboard: Dashboard, question: Question) -> dict[str, Any]:
    """Return the values to bind in the statement: everything that comes from the client."""
    values: dict[str, Any] = {
        "organization": question.organization_id,
        "visibilities": list(question.visibilities),
        "relations": sorted(dashboard.relations),
        "min_group_size": question.min_group_size,
    }
    for name, value in question.parameters:
        values[name] = dashboard.meta.parameters[name].bound(value)
    return values


def _panel(
    dashboard: Dashboard, name: str, panel: Panel, form: Form, load_log: sql.Identifier
) -> tuple[sql.Composed, sql.Composed]:
    """Return the CTE of a panel's rows and its entry in the JSON object."""
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
    """Return a fragment of the definition with its placeholders replaced; a percent sign in it is literal."""
    return sql.SQL(text.replace("%", "%%")).format(**words)
