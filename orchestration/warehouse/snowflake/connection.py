"""Connects to Snowflake by its driver, and translates the driver's errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestration.config.engines.snowflake import NEEDED, snowflake_variables
from orchestration.config.files import Settings
from orchestration.config.secrets.by_file import Variables
from orchestration.config.variables import (
    SNOWFLAKE_KEY,
    SNOWFLAKE_KEY_PASSPHRASE,
    SNOWFLAKE_PASSWORD,
    SNOWFLAKE_PORT,
    SNOWFLAKE_PROTOCOL,
)
from orchestration.errors import FailedError, MisconfiguredError, UnavailableError
from orchestration.warehouse.names import Names
from orchestration.warehouse.translation import first_line

NOT_INSTALLED = (
    "insights.warehouse.type snowflake needs {name}, which is not installed: pip install --no-deps --require-hashes -r"
    " requirements/snowflake.txt, in an environment of its own (docs/engines/snowflake.md)."
)
# What the driver calls the values of the variables.
_PARAMETERS = NEEDED | {
    SNOWFLAKE_KEY: "private_key_file",
    SNOWFLAKE_KEY_PASSPHRASE: "private_key_file_pwd",
    SNOWFLAKE_PASSWORD: "password",
    "SNOWFLAKE_HOST": "host",
    SNOWFLAKE_PORT: "port",
    SNOWFLAKE_PROTOCOL: "protocol",
}
LOGIN_SECONDS = 60
# A statement is sent again when its answer takes longer, so that it must be longer than any statement of ours takes.
ANSWER_SECONDS = 3600


@dataclass(frozen=True)
class Session:
    """An open session, in which each statement is a transaction of its own unless `transaction` holds several."""

    connection: Any
    settings: Settings

    @property
    def names(self) -> Names:
        """The names of schemas and relations."""
        return Names.of(self.settings)

    def ops(self, name: str) -> str:
        """Return the name of a table of the bookkeeping, with its schema."""
        return f"{self.names.ops_schema}.{name}"

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement with its values for `%s`; returns how many rows it wrote. Raises FailedError."""
        with self.connection.cursor() as cursor, _translated():
            cursor.execute(statement, tuple(values) or None)
            return int(cursor.rowcount or 0)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query with its values for `%s`. Raises FailedError."""
        with self.connection.cursor() as cursor, _translated():
            found: list[tuple[Any, ...]] = cursor.execute(query, tuple(values) or None).fetchall()
            return found

    def value(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Return the first value of the only row of a query. Raises FailedError."""
        ((found, *_),) = self.rows(query, values)
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the statements of a block write at its end; take it back if the block raises."""
        self.execute("begin transaction")
        try:
            yield
        except BaseException:
            self.execute("rollback")
            raise
        self.execute("commit")

    def tables(self, schema: str) -> set[str]:
        """Return the names of the tables and views of a schema, in small letters."""
        query = "select distinct lower(table_name) from information_schema.columns where table_schema = upper(%s)"
        return {name for (name,) in self.rows(query, [schema])}


@contextmanager
def connected(settings: Settings) -> Iterator[Session]:
    """Open a session in UTC, in autocommit mode, for a block.

    Raises MisconfiguredError if the variables of the connection are incomplete or the driver is not installed,
    UnavailableError if Snowflake does not answer or refuses the login, and FailedError for statements that it refuses.
    """
    variables = snowflake_variables(Variables())
    try:
        import snowflake.connector  # noqa: PLC0415 - not part of every installation
        from snowflake.connector.errors import Error  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise MisconfiguredError(NOT_INSTALLED.format(name=error.name)) from error
    given = {_PARAMETERS[name]: value for name, value in variables.items()}
    try:
        connection = snowflake.connector.connect(
            **given,
            autocommit=True,
            login_timeout=LOGIN_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            client_session_keep_alive=True,
            session_parameters={"TIMEZONE": "UTC", "QUERY_TAG": "orgo-insights"},
        )
    except Error as error:
        account = variables["SNOWFLAKE_ACCOUNT"]
        raise UnavailableError(
            f"No session in the account {account} of Snowflake as {variables['SNOWFLAKE_USER']} ({first_line(error)})."
            " Check the variables SNOWFLAKE_*, and that this machine reaches it."
        ) from error
    try:
        yield Session(connection, settings)
    finally:
        connection.close()


@contextmanager
def _translated() -> Iterator[None]:
    from snowflake.connector.errors import Error  # noqa: PLC0415 - not part of every installation

    try:
        yield
    except Error as error:
        raise FailedError(f"Snowflake refused a statement: {first_line(error)}") from error
