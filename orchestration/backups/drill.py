"""Restores a backup into a scratch folder and tries it: whether it can be restored, how fast, and what it lacks.

Specification, section 2.2; decision D233.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from psycopg import sql

from orchestration.backups.archive import Archive, read_archive
from orchestration.backups.compared import Written, compare, has_half_a_load, read_written
from orchestration.backups.ledger import Ledger, read_ledger, reapply
from orchestration.backups.program import PgBackRest
from orchestration.backups.recorded import Drill, record_drill
from orchestration.backups.scratch import Scratch, TargetNotReachedError, check_parent, remove_leftovers, scratch
from orchestration.config.settings import Settings
from orchestration.errors import BadInputError, FailedError, InsightsError
from orchestration.progress import Progress
from orchestration.reconcile import recount
from orchestration.warehouse.claims import held
from orchestration.warehouse.database import Database

STEPS = {
    "restore": "restoring the data",
    "recover": "starting the server and replaying what was archived",
    "reapply": "removing what must not come back",
    "test": "running the data tests",
    "compare": "comparing the rows of each relation",
}
CLAIM = "backup drill"
ROOM = 1.2  # times the size of the backup, for what is replayed
_REACHED = "select (pg_last_wal_replay_lsn() - '0/0')::bigint, pg_last_xact_replay_timestamp()"
_AS_OF = "select max(as_of) from {}"


@dataclass(frozen=True)
class Before:
    """What is known of the warehouse before the restore: what must not come back, what is archived, what wrote."""

    ledger: Ledger
    archive: Archive
    written: Written
    database: str
    user: str


@dataclass
class _Clock:
    """Measures the steps and tells the progress."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if self.progress:
            self.progress(len(self.seconds), len(STEPS), STEPS[name])
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - started, 3)


def drill(
    settings: Settings, target: datetime | None = None, parent: Path | None = None, progress: Progress | None = None
) -> Drill:
    """Restore a backup below `parent` (by default `backups.directory`), try it, record the result, and return it.

    `target` is the time to restore to; by default everything that is archived, or, while a load is running, the time
    just before it began. The warehouse itself is only read, and gets a row in `insights_ops.backup_drills`. A drill
    that fails, also because it took longer than `backups.rto_minutes`, has a `failure`; nothing is raised then.

    Raises, before anything is restored, BadInputError for a target that is not archived, BusyError while another drill
    runs, and MisconfiguredError without a configuration. Raises like `Database.open` if the warehouse does not answer.
    """
    settings.check_offline("Drills")  # they load nothing, but write like loads, into a copy
    tool = PgBackRest.of(settings)
    folder = parent or Path(settings.insights.backups.directory)
    check_parent(folder, tool.account)
    with Database.open(settings) as db, held(db, CLAIM, "trying a backup of this warehouse"):
        remove_leftovers(tool, folder)
        measured = _measured(settings, tool, folder, _before(db), target, progress)
        record_drill(db, measured)
    return measured


def _measured(  # noqa: PLR0913, PLR0917 - each is used once, by the caller above
    settings: Settings,
    tool: PgBackRest,
    folder: Path,
    before: Before,
    target: datetime | None,
    progress: Progress | None,
) -> Drill:
    """Restore a backup, try it, and return the result; raises BadInputError before anything is restored."""
    target = target or _before_the_load(before)
    backups = tool.info().get("backup", [])
    _check_target(target, before.archive, backups)
    clock = _Clock(progress)
    measured = Drill(datetime.now(UTC), target, rpo_seconds=before.archive.unarchived_seconds())
    try:
        with scratch(tool, folder, int(backups[-1]["info"]["size"] * ROOM)) as restored:
            measured = _try(settings, restored, before, measured, clock)
    except InsightsError as error:
        measured = replace(measured, failure=str(error))
    measured = replace(measured, step_seconds=clock.seconds, rto_seconds=sum(clock.seconds.values()))
    return within_rto(measured, settings.insights.backups.rto_minutes.of(settings.environment))


def within_rto(measured: Drill, minutes: int) -> Drill:
    """Return a drill with a failure if it took longer than so many minutes and has none."""
    if measured.failure is not None or measured.rto_seconds <= minutes * 60:
        return measured
    says = f"It took {measured.rto_seconds / 60:.1f} minutes, {minutes} are allowed (insights.backups.rto_minutes)."
    return replace(measured, failure=says)


def _before(db: Database) -> Before:
    info = db.connection.info
    written = read_written(db)  # first: what is purged after the ledger was read counts as later
    return Before(read_ledger(db), read_archive(db), written, info.dbname, info.user)


def _before_the_load(before: Before) -> datetime | None:
    """Return when the running load began, if that is archived; a half-finished load fails the tests."""
    since = before.written.since
    return since if since and since < before.archive.newest else None


def _check_target(target: datetime | None, archive: Archive, backups: list[dict[str, object]]) -> None:
    if not backups:
        raise BadInputError("There is no backup to restore. Run: insights backup run full")
    if target is None:
        return
    first = backups[0]["timestamp"]
    # pgBackRest counts whole seconds, and cannot restore to the second in which the backup ended.
    oldest = datetime.fromtimestamp(first["stop"] + 1, UTC)  # type: ignore[index]  # JSON of pgBackRest
    if not oldest <= target < archive.newest:
        raise BadInputError(
            f"{target:%Y-%m-%d %H:%M:%S} UTC cannot be restored: it must be from {oldest:%Y-%m-%d %H:%M:%S}, after the"
            f" oldest backup, to {archive.newest:%Y-%m-%d %H:%M:%S}, when the newest changes were archived."
        )


def _try(settings: Settings, restored: Scratch, before: Before, measured: Drill, clock: _Clock) -> Drill:
    """Restore and try a backup, and return what was measured and found; a step that fails raises InsightsError."""
    with clock.step("restore"):
        restored.restore(measured.target)
    with clock.step("recover"):
        try:
            url = restored.start(before.database, before.user)
        except TargetNotReachedError:
            if measured.target != before.written.since:
                raise
            # Nothing of the running load is archived yet, so all that is archived is the state before it.
            measured = replace(measured, target=None)
            restored.clear()
            restored.restore(None)
            url = restored.start(before.database, before.user)
        with Database.open(settings, url) as db:
            reached, until = db.rows(_REACHED)[0]
            if measured.target is None:
                _check_reached(reached, before.archive)
                if has_half_a_load(db, before.written):
                    raise FailedError("A load began meanwhile, and half of it was restored. Run the drill again.")
            as_of = db.value(sql.SQL(_AS_OF).format(db.ops("load_log")))
    measured = replace(measured, restored_until=until.astimezone(UTC) if until else None)
    with clock.step("reapply"), Database.open(settings, url) as db:
        reapply(db, before.ledger)
    with clock.step("test"):
        _test(settings, url, as_of)
    with clock.step("compare"), Database.open(settings, url) as db, Database.open(settings) as live:
        compared, differing = compare(db, live, before.written)
    failure = None
    if differing:
        failure = f"Rows differ from those of the warehouse, of the same load: {'; '.join(differing)}."
    return replace(measured, relations_compared=compared, failure=failure)


def _test(settings: Settings, url: str, as_of: date | None) -> None:
    """Run every data test over all rows; raises FailedError that names those that failed."""
    try:
        recount(settings, url, as_of, on_line=lambda _line: None)
    except FailedError as error:
        first, _, tests = str(error).partition("\n")
        raise FailedError(f"The restored data failed their tests: {tests or first}") from error


def _check_reached(reached: int | None, archive: Archive) -> None:
    """Raise FailedError if the recovery ended before the newest segment that was archived when the drill began."""
    if archive.archived is not None and (reached or 0) < archive.archived - archive.segment_bytes:
        raise FailedError("The recovery ended before the newest archived changes: a segment of the archive is missing.")
