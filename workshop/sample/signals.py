"""Generate wellbeing check-ins and classification labels."""

import random
from datetime import datetime

from workshop.sample.people import Team
from workshop.sample.rows import Row, Rows, chance, random_for, weighted
from workshop.sample.work import pick_moment

CONTEXTS = ("shift_end", "weekly", "after_training")
CHECKIN_TAGS = ("tired", "team", "workload", "good_day", "conflict")
SCORES = weighted({1: 2, 2: 3, 3: 6, 4: 9, 5: 13, 6: 17, 7: 21, 8: 17, 9: 8, 10: 4})
# Shares of anonymous check-ins: without a submitter, and with the user who submitted them.
ANONYMOUS = 0.03
ANONYMOUS_SUBMITTED = 0.12
LABELED_SHARES = {"tasks": 0.12, "cases": 0.2, "person_profiles": 0.08, "learning_groups": 1.0}
ENTITY_TYPES = {"tasks": "task", "cases": "case", "person_profiles": "person", "learning_groups": "learning_group"}


def add_checkins(rows: Rows, team: Team) -> None:
    """Add the organization's check-ins: exact shares are anonymous, some refer to a task."""
    rng = random_for("checkins", team.spec.slug)
    tasks = [task for task in rows.tables["tasks"] if task["organization_id"] == team.row["id"]]
    for number in range(team.spec.checkins):
        checkin = add_checkin(rows, team, rng, pick_moment(rng, team))
        if number < (ANONYMOUS + ANONYMOUS_SUBMITTED) * team.spec.checkins:
            checkin["person_id"] = None
            submitted = number >= ANONYMOUS * team.spec.checkins
            checkin["submitted_by_user_id"] = rng.choice(team.users)["id"] if submitted else None
        task = rng.choice(tasks)
        if chance(rng, 0.2) and task["created_at"] < checkin["created_at"]:
            checkin["related_task_id"] = task["id"]


def add_checkin(rows: Rows, team: Team, rng: random.Random, at: datetime) -> Row:
    """Add one check-in of a named person, often in the context of a learning group."""
    return rows.add(
        "wellbeing_checkins",
        at,
        organization_id=team.row["id"],
        person_id=rng.choice(team.persons)["id"],
        submitted_by_user_id=rng.choice(team.users)["id"] if chance(rng, 0.2) else None,
        context=rng.choice(CONTEXTS + team.spec.learning_groups),
        score=rng.choice(SCORES),
        tags=rng.sample(CHECKIN_TAGS, rng.randint(1, 3)) if chance(rng, 0.6) else None,
        notes="SECRET-NOTES slept badly, long shift" if chance(rng, 0.4) else None,
        related_task_id=None,
    )


def add_entity_labels(rows: Rows, team: Team) -> None:
    """Add one or two of the organization's labels to some of its tasks, cases, people and groups."""
    rng = random_for("entity labels", team.spec.slug)
    for table, share in LABELED_SHARES.items():
        for entity in rows.tables[table]:
            if entity["organization_id"] == team.row["id"] and rng.random() < share:
                for label in rng.sample(team.labels, rng.choice((1, 1, 1, 2))):
                    add_entity_label(rows, entity, label, ENTITY_TYPES[table])


def add_entity_label(rows: Rows, entity: Row, label: Row, entity_type: str) -> Row:
    """Label one entity at the time of its creation."""
    return rows.add(
        "entity_labels",
        entity["created_at"],
        organization_id=entity["organization_id"],
        label_id=label["id"],
        entity_type=entity_type,
        entity_id=entity["id"],
        applied_at=entity["created_at"],
    )
