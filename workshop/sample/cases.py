"""Generate the sample's cases with their tasks, and the tasks without a case."""

import json
import random
from datetime import datetime, timedelta

from workshop.sample.people import Team
from workshop.sample.rows import Row, Rows, chance, random_for
from workshop.sample.scenario import AS_OF, Cluster, Place, Topic
from workshop.sample.work import DEADLINE_MEDIANS, SEVERITIES, TERMINAL, add_task, make_label, pick_moment

# Number of cases without tasks per organization.
CASES_WITHOUT_TASKS = {"sample-hospital": 5, "sample-stores": 4, "sample-walking-club": 1}
ARCHIVED_AFTER = timedelta(days=180)


def add_work(rows: Rows, team: Team) -> None:
    """Add all cases and tasks of one organization: recurring clusters, other cases, then tasks without a case."""
    rng = random_for("work", team.spec.slug)
    tasks_before = len(rows.tables["tasks"])
    clustered = sum(_add_cluster(rows, team, rng, cluster) for cluster in team.spec.clusters)
    without_tasks = CASES_WITHOUT_TASKS.get(team.spec.slug, 0)
    for number in range(team.spec.cases - clustered):
        topic = _pick_topic(rng, team)
        add_case(
            rows,
            team,
            rng,
            created_at=pick_moment(rng, team),
            topic=topic,
            place=rng.choice(team.spec.places),
            label=make_label(rng, topic),
            severity=rng.choice(SEVERITIES),
            tasks=0 if number < without_tasks else None,
        )
    for _ in range(team.spec.tasks - (len(rows.tables["tasks"]) - tasks_before)):
        topic = _pick_topic(rng, team)
        add_task(rows, team, rng, created_at=pick_moment(rng, team), topic=topic, place=rng.choice(team.spec.places))


def _add_cluster(rows: Rows, team: Team, rng: random.Random, cluster: Cluster) -> int:
    """Add the cases of one cluster, between 07:00 and 19:00 UTC, and return their number."""
    for days in cluster.days_before_as_of:
        add_case(
            rows,
            team,
            rng,
            created_at=AS_OF - timedelta(days=days) + timedelta(hours=rng.randrange(7, 19), minutes=rng.randrange(60)),
            topic=cluster.topic,
            place=cluster.place,
            label=f"{cluster.base}.{cluster.topic.tail}",
            severity=cluster.severity,
        )
    return len(cluster.days_before_as_of)


def _pick_topic(rng: random.Random, team: Team) -> Topic:
    return rng.choice([topic for topic in team.spec.topics for _ in range(topic.weight)])


def add_case(  # noqa: PLR0913 -- a case has this many properties
    rows: Rows,
    team: Team,
    rng: random.Random,
    *,
    created_at: datetime,
    topic: Topic,
    place: Place | None,
    label: str,
    severity: str,
    tasks: int | None = None,
) -> Row:
    """Add one case with `tasks` tasks, two to six when `tasks` is None."""
    base, _, role = f"{label}.Leadership".split(".", 2) if label.count(".") == 1 else label.split(".", 2)
    where = f", {next(reversed(place.values()))}" if place else ""
    title = f"{rng.choice(topic.titles)}{where}"
    case = rows.add(
        "cases",
        created_at,
        organization_id=team.row["id"],
        source_type="manual",
        source_reference=f"thread-{rng.randrange(10**6):06}",
        label=label,
        title=f"Case-Title {title}",
        description=f"SECRET-DESCRIPTION {title}: what {rng.choice(team.persons)['full_name']} saw.",
        status="open",
        severity=severity,
        reactivity_time=timedelta(minutes=team.spec.minutes[1] * DEADLINE_MEDIANS),
        origin_vertical_level=int(base),
        origin_role=role,
        tags=[topic.type] if chance(rng, 0.6) else None,
        location=json.dumps(place or {}),
        metadata=json.dumps(_case_metadata(rng, team, topic)),
    )
    added = []
    for number in range(rng.choice((2, 2, 3, 3, 4, 6)) if tasks is None else tasks):
        at = min(created_at + timedelta(minutes=rng.randrange(1 + 600 * number)), AS_OF - timedelta(seconds=1))
        fixed = severity if number == 0 else None
        added.append(
            add_task(rows, team, rng, created_at=at, topic=topic, place=place, case=case, label=label, severity=fixed)
        )
    if added:
        _set_status(rng, case, added)
    return case


def _case_metadata(rng: random.Random, team: Team, topic: Topic) -> Row:
    metadata: Row = {"profile_id": team.spec.profile, "review_frequency": rng.choice(("weekly", "monthly"))}
    if chance(rng, 0.3):
        metadata["visibility"] = rng.choice(topic.visibilities or team.spec.visibilities)
    return metadata


def _set_status(rng: random.Random, case: Row, tasks: list[Row]) -> None:
    """Set the case's source, status and time of its last change from its tasks."""
    case["source_type"] = tasks[0]["source"]
    case["updated_at"] = max(task["updated_at"] for task in tasks)
    if all(task["status"] in TERMINAL for task in tasks):
        case["status"] = "resolved"
        if case["updated_at"] + ARCHIVED_AFTER < AS_OF and chance(rng, 0.5):
            case.update(status="archived", updated_at=case["updated_at"] + ARCHIVED_AFTER)
    elif any(task["status"] != "PENDING" for task in tasks):
        case["status"] = "in_progress"
