"""The names of schemas and relations in the warehouse, all derived from `insights.warehouse.schema` (decision D13)."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from orchestration.config.files import Settings


@dataclass(frozen=True)
class Names:
    """Names of schemas as strings, of relations and functions as quoted identifiers."""

    marts_schema: str
    source_schema: str

    @classmethod
    def of(cls, settings: Settings) -> Names:
        """Return the names for these settings."""
        return cls(settings.insights.warehouse.schema_name, settings.insights.source.schema_name)

    @property
    def staging_schema(self) -> str:
        """Schema of the staging and intermediate models."""
        return f"{self.marts_schema}_staging"

    @property
    def snapshots_schema(self) -> str:
        """Schema of the snapshots."""
        return f"{self.marts_schema}_snapshots"

    @property
    def personal_schema(self) -> str:
        """Schema of the personal columns of dimensions (decision D203)."""
        return f"{self.marts_schema}_personal"

    @property
    def ops_schema(self) -> str:
        """Schema of rejects and bookkeeping."""
        return f"{self.marts_schema}_ops"

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas that `insights init` creates."""
        return (self.marts_schema, self.staging_schema, self.snapshots_schema, self.personal_schema, self.ops_schema)

    def mart(self, name: str) -> sql.Identifier:
        """Return the name of a dimension, fact, report or pattern table."""
        return sql.Identifier(self.marts_schema, name)

    def staging(self, name: str) -> sql.Identifier:
        """Return the name of a staging or intermediate model."""
        return sql.Identifier(self.staging_schema, name)

    def ops(self, name: str) -> sql.Identifier:
        """Return the name of a table or function of the bookkeeping."""
        return sql.Identifier(self.ops_schema, name)

    def source(self, name: str) -> sql.Identifier:
        """Return the name of an operational table."""
        return sql.Identifier(self.source_schema, name)
