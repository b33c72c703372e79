"""What `snapshot.json` says about a snapshot. A folder without it holds no whole snapshot."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

from pydantic import AwareDatetime, ConfigDict, TypeAdapter, ValidationError

from orchestration.errors import MisconfiguredError, NotFoundError

FILE = "snapshot.json"
# Grows when files of an older release can no longer be read.
FORMAT = 1
REMEDY = "Take the snapshot again: insights snapshot"


@dataclass(frozen=True)
class Table:
    """The file of one operational table: its number of rows, size in bytes, and SHA-256."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Description:
    """A whole snapshot.

    `moment` is the time of the database at which all tables were read, ISO 8601 in UTC. `organization_id` and
    `organization` (the slug) are None for a snapshot of all tenants. `audit_id` is the `export_id` of the attempt in
    the audit of exports, None if it was not recorded. `source` identifies the database that was read, None in a
    snapshot of an older release.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    moment: str
    release: str
    environment: str
    tables: dict[str, Table]
    organization_id: str | None = None
    organization: str | None = None
    audit_id: str | None = None
    source: str | None = None

    @property
    def day(self) -> date:
        """The UTC date of the moment."""
        return date.fromisoformat(self.moment[:10])

    @property
    def whose(self) -> str:
        """Whose rows these are, for messages: the slug of an organization, or all organizations."""
        return self.organization or self.organization_id or "all organizations"

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def bytes(self) -> int:
        """The bytes of all files."""
        return sum(table.bytes for table in self.tables.values())

    def text(self) -> str:
        """Return the content of `snapshot.json`."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"


_SHAPE = TypeAdapter(Description)
_MOMENT = TypeAdapter(AwareDatetime)


def table_file(table: str) -> str:
    """Return the name of the file of an operational table."""
    return f"{table}.parquet"


def read_description(folder: Path) -> Description:
    """Return the description of the snapshot in a folder, whose files have the sizes that it names.

    Raises NotFoundError if the folder holds no whole snapshot, and MisconfiguredError if it is of another release or
    was changed so that the sizes show it (`check_digests` reads the files).
    """
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"{folder} holds no whole snapshot: it has no {FILE}. {REMEDY} {folder}") from error
    except (OSError, ValueError) as error:
        raise MisconfiguredError(f"{folder / FILE} cannot be read ({error}). {REMEDY}") from error
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise MisconfiguredError(f"{folder / FILE} is of another release. {REMEDY}")
    try:
        description = _SHAPE.validate_python(found)
        _MOMENT.validate_python(description.moment)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "moment"
        raise MisconfiguredError(f"{folder / FILE} is damaged ({where}: {first['msg']}). {REMEDY}") from error
    for name, table in description.tables.items():
        file = folder / table_file(name)
        if not file.is_file() or file.stat().st_size != table.bytes:
            raise MisconfiguredError(f"{file} is not the file that {FILE} describes ({table.bytes:,} bytes). {REMEDY}")
    return description


def check_digests(folder: Path, description: Description) -> None:
    """Raise MisconfiguredError if a file of the snapshot has another SHA-256 than its description; reads all files."""
    for name, table in description.tables.items():
        with (folder / table_file(name)).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != table.sha256:
            says = f"{folder / table_file(name)} was changed or is damaged: its SHA-256 is not that of {FILE}"
            raise MisconfiguredError(f"{says}. Copy the folder again, or take the snapshot again: insights snapshot")
