"""The analyzer of GoogleSQL, the language of BigQuery, as Google has published it: what it says about statements.

It knows syntax, functions and types, and nothing of what BigQuery itself refuses when it plans a query.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from support.policy import nodes
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder
from zetasql.types import (
    AnalyzerOptions,
    LanguageOptions,
    ProductMode,
    SimpleCatalog,
    SimpleTable,
    ZetaSQLBuiltinFunctionOptions,
)

from orchestration.warehouse.contract import contract_tables

# What a replication delivers, and what dbt's interface makes of a type of a seed.
TYPES = {
    "boolean": "bool",
    "date": "date",
    "integer": "int64",
    "numeric": "numeric",
    "text[]": "array<string>",
    "time": "time",
    "timestamp with time zone": "timestamp",
}


# Names of int64 and bool that BigQuery has documented, and the published language lacks.
ALIASES = (re.compile(r"\bas (?:integer|bigint|smallint)\b"), "as int64"), (re.compile(r"\bas boolean\b"), "as bool")
# What writes; dbt asks for the columns of each of these queries before.
WRITES = re.compile(r"(?:\s|/\*.*?\*/)*(?:create|merge|insert|delete)\b", re.DOTALL)

MADE = re.compile(r"create or replace (?:table|view)\s+`(\w+)`\.`(\w+)`\.`(\w+)`")


class GoogleSql:
    """An analyzer that learns each table from the statement that makes it."""

    def __init__(self, project: str) -> None:
        language = LanguageOptions.maximum_features()
        language.product_mode = ProductMode.PRODUCT_EXTERNAL
        functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
        self.catalog = CatalogBuilder("root").with_builtin_functions(functions).build()
        self.project = SimpleCatalog(name=project)
        self.unread: set[str] = set()  # tables whose columns are not known
        self.catalog.catalog.append(self.project)
        self.analyzer = Analyzer(AnalyzerOptions(language_options=language), self.catalog)

    def know_given_tables(self) -> None:
        """Make known the operational tables, and the seeds, which no statement makes."""
        for table in contract_tables():
            columns = {name: TYPES.get(column.data_type, "string") for name, column in table.columns.items()}
            self.fault(f"create table `{self.project.name}`.`public`.`{table.name}` ({listed(columns)})")
        for seed in nodes("seed"):
            columns = {name: TYPES.get(kind, "string") for name, kind in seed["config"]["column_types"].items()}
            self.fault(f"create table `{self.project.name}`.`{seed['schema']}`.`{seed['alias']}` ({listed(columns)})")

    def fault(self, statement: str) -> str:
        """Return what is wrong with a statement; nothing if it is right, or reads a table whose columns are not known.

        What the analyzer makes of a long query is nested deeper than protobuf reads. It has taken the statement then.
        """
        for alias, name in ALIASES:
            statement = alias.sub(name, statement)
        try:
            resolved = self.analyzer.analyze_statement(statement)
        except DecodeError:
            self.unread |= made_by(statement)
            return ""
        except Exception as fault:
            if not any(f"not found: {name}" in str(fault) for name in self.unread):
                return str(fault)
            self.unread |= made_by(statement)
            return ""
        columns = getattr(resolved, "column_definition_list", None)
        made = {one.name: one.type for one in columns or []}
        if not made and type(resolved).__name__ == "ResolvedCreateViewStmt":
            made = {one.name: one.column.type for one in resolved.output_column_list}
        if made:
            self.know(resolved.name_path, made)
        return ""

    def know(self, path: list[str], columns: dict[str, Any]) -> None:
        """Make a table known by its name, with and without its project."""
        *_, dataset, name = path
        builder = TableBuilder(name)
        for column, kind in columns.items():
            builder.add_column(column, kind)
        for place in (self.catalog, self.project):
            put(place, dataset, builder.build())


def made_by(statement: str) -> set[str]:
    """Return the table or view that a statement makes, as the analyzer names it."""
    return {".".join(found) for found in MADE.findall(statement)}


def put(place: SimpleCatalog, dataset: str, table: SimpleTable) -> None:
    """Put a table into a dataset of a catalog, in the place of one with the same name."""
    found = next((one for one in place.catalog if one.name == dataset), None)
    if found is None:
        found = SimpleCatalog(name=dataset)
        place.catalog.append(found)
    found.table = [one for one in found.table if one.name != table.name] + [table]


def listed(columns: dict[str, str]) -> str:
    """Return the columns of a table as SQL."""
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())


def recorded(file: Path) -> Iterable[str]:
    """Return the statements of a file of the emulator, those of a script one by one."""
    for line in file.read_text("utf-8").splitlines():
        for statement in json.loads(line).split(";\n"):
            if WRITES.match(statement):
                yield statement.strip().rstrip(";")


def faults(file: Path, project: str = "orgo") -> dict[str, str]:
    """Return {statement: what the analyzer says against it} for the statements of a file."""
    analyzer = GoogleSql(project)
    analyzer.know_given_tables()
    seen: set[str] = set()
    found = {}
    for statement in recorded(file):
        if statement not in seen:
            seen.add(statement)
            if fault := analyzer.fault(statement):
                found[statement] = fault
    return found
