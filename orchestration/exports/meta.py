"""The schema of `config.meta.export` of an exposure: an export of rows or of aggregates (docs/exports.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from orchestration.config.tokens import Section, Text

Kind = Literal["rows", "aggregate"]


class Export(Section):
    """The keys that both kinds have."""

    source: Text = Field(alias="from", description="The exported relation.")
    joined: dict[Text, Text] = Field(
        alias="with", default_factory=dict, description="Joined relations, each with the common key column."
    )
    date: Text = Field(description="The column of `from` that the requested range restricts.")


class RowsExport(Export):
    """An export of rows."""

    kind: Literal["rows"]
    columns: Annotated[list[Text], Field(min_length=1)] = Field(description="The exported columns, in order.")
    instead: dict[Text, Text] = Field(
        default_factory=dict, description="Exported columns whose values another column of the same relation has."
    )
    refers: dict[Text, Text] = Field(
        default_factory=dict, description="Columns that refer to rows of another export, each with `export.column`."
    )


class Measure(Section):
    """A measure of cells."""

    type: Annotated[str, Field(pattern=r"^(integer|bigint|numeric)\b")]
    sql: Text


class AggregateExport(Export):
    """An export of aggregates."""

    kind: Literal["aggregate"]
    dimensions: dict[Text, Text] = Field(default_factory=dict, description="Names, and `relation.column` for each.")
    measures: Annotated[dict[Text, Measure], Field(min_length=1)] = Field(description="Names, each with SQL and type.")
    group_size: Text = Field(description="SQL aggregate that counts the members of a cell.")


AnyExport = Annotated[RowsExport | AggregateExport, Field(discriminator="kind")]
EXPORT: TypeAdapter[RowsExport | AggregateExport] = TypeAdapter(AnyExport)
