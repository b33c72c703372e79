"""Generate the sample's irregular events, duplicate comments and rows outside the window."""

import random
from datetime import datetime, timedelta

from workshop.sample.cases import add_case
from workshop.sample.people import Team
from workshop.sample.rows import Row, Rows
from workshop.sample.scenario import AS_OF, WINDOW_START
from workshop.sample.signals import add_checkin, add_entity_label
from workshop.sample.ugly import UGLY, Pool
from workshop.sample.work import Lifecycle, add_task, make_label, pick_moment

HOURS_AFTER_AS_OF = (0, 1, 5, 26, 50, 100)


def add_edges(rows: Rows, teams: list[Team], tasks: Pool, rng: random.Random) -> None:
    """Add irregular events, duplicate comments and rows outside the window, using `tasks`, which are not ugly yet."""
    _add_irregular_events(rows, teams, tasks, rng)
    _duplicate_comments(rows, rng)
    for _ in range(UGLY["entity_label_of_unknown_entity"]):
        unknown = {"id": rows.new_id(), "organization_id": teams[0].row["id"], "created_at": pick_moment(rng, teams[0])}
        add_entity_label(rows, unknown, rng.choice(teams[0].labels), "task")
    _add_before_window(rows, teams, rng)
    _add_after_as_of(rows, teams, tasks, rng)
    _add_first_day(rows, teams[0], rng)


def _lifecycle_at(rows: Rows, teams: list[Team], rng: random.Random, task: Row, at: datetime) -> Lifecycle:
    team = next(team for team in teams if team.row["id"] == task["organization_id"])
    return Lifecycle(rows, team, rng, task, at)


def _add_irregular_events(rows: Rows, teams: list[Team], tasks: Pool, rng: random.Random) -> None:
    for number in range(UGLY["event_of_unknown_task"]):
        team = teams[number % 2]
        unknown = {"id": rows.new_id(), "organization_id": team.row["id"]}
        lifecycle = _lifecycle_at(rows, teams, rng, unknown, pick_moment(rng, team))
        lifecycle.event(
            rng.choice(("created", "comment_added", "escalated")), None, {}, actor=None, origin="system_rule"
        )
    in_window = WINDOW_START + timedelta(days=1)
    for number, task in enumerate(tasks.take("event_before_creation", lambda row: row["created_at"] > in_window)):
        lifecycle = _lifecycle_at(rows, teams, rng, task, task["created_at"] - timedelta(minutes=30 * (number + 1)))
        lifecycle.event("ownership_changed", None, {}, actor=None, origin="api")
    for task in tasks.take("event_without_values", lambda row: row["status"] == "IN_PROGRESS"):
        lifecycle = _lifecycle_at(rows, teams, rng, task, task["updated_at"])
        lifecycle.event("status_changed", None, None, actor=None, origin="api")


def _duplicate_comments(rows: Rows, rng: random.Random) -> None:
    events = {
        event["new_value"]: event for event in rows.tables["task_events"] if event["event_type"] == "comment_added"
    }
    for comment in rng.sample(rows.tables["task_comments"], UGLY["comment_duplicate"]):
        copy = rows.add("task_comments", **{name: value for name, value in comment.items() if name != "id"})
        event = dict(events[f'{{"comment_id": "{comment["id"]}"}}'], new_value=f'{{"comment_id": "{copy["id"]}"}}')
        rows.add("task_events", **{name: value for name, value in event.items() if name != "id"})


def _add_before_window(rows: Rows, teams: list[Team], rng: random.Random) -> None:
    for number in range(UGLY["task_before_window"]):
        team = teams[number % 3]
        created_at = WINDOW_START - timedelta(days=number, seconds=1)
        topic = rng.choice(team.spec.topics)
        add_task(rows, team, rng, created_at=created_at, topic=topic, place=rng.choice(team.spec.places))
    for number in range(UGLY["checkin_before_window"]):
        add_checkin(rows, teams[0], rng, WINDOW_START - timedelta(days=number, seconds=1))


def _add_after_as_of(rows: Rows, teams: list[Team], tasks: Pool, rng: random.Random) -> None:
    moments = [AS_OF + timedelta(hours=hours) for hours in HOURS_AFTER_AS_OF]
    hospital = teams[0]
    for number in range(UGLY["task_after_as_of"]):
        topic, place = rng.choice(hospital.spec.topics), rng.choice(hospital.spec.places)
        label, at = make_label(rng, topic), moments[number]
        case = None
        if number < UGLY["case_after_as_of"]:
            case = add_case(
                rows, hospital, rng, created_at=at, topic=topic, place=place, label=label, severity="MAJOR", tasks=0
            )
        add_task(rows, hospital, rng, created_at=at, topic=topic, place=place, case=case, label=label)
    for number in range(UGLY["checkin_after_as_of"]):
        add_checkin(rows, hospital, rng, moments[number])
    for number, task in enumerate(tasks.take("task_closed_after_as_of", lambda row: _has_no_case(row, "IN_PROGRESS"))):
        _lifecycle_at(rows, teams, rng, task, moments[number]).close("COMPLETED")
    for number, task in enumerate(tasks.take("comment_after_as_of", lambda row: _has_no_case(row, "PENDING"))):
        lifecycle = _lifecycle_at(rows, teams, rng, task, moments[number])
        lifecycle.comment(rng.choice(lifecycle.team.users)["id"], "First answer, too late to count.")


def _add_first_day(rows: Rows, team: Team, rng: random.Random) -> None:
    """Add a case of the first day of the window, with a task: the next day puts both out of retention."""
    topic, place, at = rng.choice(team.spec.topics), rng.choice(team.spec.places), WINDOW_START + timedelta(hours=12)
    label = make_label(rng, topic)
    add_case(rows, team, rng, created_at=at, topic=topic, place=place, label=label, severity="MINOR", tasks=1)


def _has_no_case(task: Row, status: str) -> bool:
    return task["case_id"] is None and task["status"] == status
