"""The shape of `config.meta.export` of an exposure: one of rows, or one of aggregates (docs/exports.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from orchestration.config.tokens import Section, Text

Kind = Literal["rows", "aggregate"]


class Export(Section):
    """What both kinds declare."""

    source: Text = Field(alias="from", description="The relation whose rows these are.")
    joined: dict[Text, Text] = Field(
        alias="with", default_factory=dict, description="Joined relations, each with the column that both have."
    )
    date: Text = Field(description="The column of `from` that the range is about.")


class RowsExport(Export):
    """An export of rows."""

    kind: Literal["rows"]
    columns: Annotated[list[Text], Field(min_length=1)] = Field(description="The columns that leave, in this order.")
    refers: dict[Text, Text] = Field(
        default_factory=dict, description="Columns that name rows of another export, each with `export.column`."
    )


class Measure(Section):
    """A number of a cell."""

    type: Annotated[str, Field(pattern=r"^(integer|bigint|numeric)\b")]
    sql: Text


class AggregateExport(Export):
    """An export of cells."""

    kind: Literal["aggregate"]
    dimensions: dict[Text, Text] = Field(default_factory=dict, description="Names, and `relation.column` for each.")
    measures: Annotated[dict[Text, Measure], Field(min_length=1)] = Field(description="Names, each with SQL and type.")
    group_size: Text = Field(description="SQL that says how many are behind a cell.")


AnyExport = Annotated[RowsExport | AggregateExport, Field(discriminator="kind")]
EXPORT: TypeAdapter[RowsExport | AggregateExport] = TypeAdapter(AnyExport)
