"""Generate the sample's tasks, each with a plausible lifecycle of events."""

import json
import random
from datetime import datetime, timedelta
from typing import Any

from workshop.sample.people import Team
from workshop.sample.rhythm import activity, delay, most_activity
from workshop.sample.rows import Row, Rows, chance, weighted
from workshop.sample.scenario import AS_OF, OPEN, WINDOW_START, Place, Topic

PRIORITIES = weighted({"LOW": 5, "MEDIUM": 10, "HIGH": 4, "CRITICAL": 1})
SEVERITIES = weighted({"MINOR": 62, "MODERATE": 27, "MAJOR": 8, "CRITICAL": 3})
BASES = weighted({"1001": 40, "101": 24, "11": 14, "2": 5, "1": 3})
BROADCAST_BASES = weighted({"1000": 5, "100": 3, "10": 2})
SOURCES = weighted({"manual": 50, "email": 28, "api": 12, "sync": 10})
URGENCY = {"LOW": 1.3, "MEDIUM": 1.0, "HIGH": 0.6, "CRITICAL": 0.35}
# Factors of the median delay: most delays are near it, a few are much longer.
SPREAD = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1.2, 1.4, 1.6, 1.8, 2, 2.3, 2.6, 3, 4, 6, 10)
DEADLINE_MEDIANS = 6  # a deadline leaves this many medians of the time to the end
FINAL_STATUS = weighted({"COMPLETED": 90, "CANCELLED": 7, "FAILED": 3})
DAY_MINUTES = 24 * 60
# Share of tasks that nobody looks at for weeks, and of those that wait for weeks before they are closed.
FORGOTTEN, STUCK = 0.02, 0.035
WEEKS = (15 * DAY_MINUTES, 120 * DAY_MINUTES)
FIRST_STEPS = weighted({"assign": 2, "start": 2, "comment": 1})
# Probability of each incidental between a task's first response and its end, and its steps.
INCIDENTALS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.25, ("comment",)),
    (0.10, ("comment",)),
    (0.07, ("hold", "resume")),
    (0.06, ("escalate",)),
    (0.05, ("priority",)),
    (0.03, ("deadline",)),
    (0.03, ("email",)),
    (0.03, ("metadata",)),
)
TERMINAL = ("COMPLETED", "FAILED", "CANCELLED")
COMMENTS = ("Called back.", "Waiting for a part.", "Same as last week?", "Will look tomorrow.", "Please confirm.")

to_json = json.JSONEncoder(default=str).encode


def pick_moment(rng: random.Random, team: Team) -> datetime:
    """Return a random moment in the organization's active days, as busy as they are, and in its working hours."""
    spec = team.spec
    busiest = most_activity(spec)
    while True:
        local = WINDOW_START + timedelta(days=rng.randrange(*spec.active_days))
        if rng.random() * busiest <= activity(spec, local.date()):
            break
    return _time_on(rng, team, local)


def _time_on(rng: random.Random, team: Team, day: datetime) -> datetime:
    """Return a random moment in the working hours of a local day, given as its midnight, and inside the window."""
    first, last = team.spec.hours
    seconds = rng.randrange(first * 3600, last * 3600) - team.spec.utc_offset_hours * 3600
    moment = day + timedelta(seconds=seconds)
    return min(max(moment, WINDOW_START + timedelta(seconds=seconds % 3600)), AS_OF - timedelta(seconds=1))


def make_label(rng: random.Random, topic: Topic) -> str:
    """Return a label in the contract's grammar (section 3), with a broadcast base for distributions only."""
    return f"{rng.choice(BROADCAST_BASES if topic.category == 'distribution' else BASES)}.{topic.tail}"


def add_task(  # noqa: PLR0913 -- a case determines this many properties of its tasks
    rows: Rows,
    team: Team,
    rng: random.Random,
    *,
    created_at: datetime,
    topic: Topic,
    place: Place | None,
    case: Row | None = None,
    label: str | None = None,
    severity: str | None = None,
) -> Row:
    """Add one task with its events, comments and assignments up to AS_OF."""
    task = rows.add("tasks", created_at, **_new_task(rng, team, topic, place))
    task["case_id"] = case["id"] if case else None
    task["label"] = label or make_label(rng, topic)
    task["severity"] = severity or task["severity"]
    minutes = topic.minutes or team.spec.minutes
    task["reactivity_time"] = timedelta(minutes=round(minutes[1] * DEADLINE_MEDIANS * URGENCY[task["priority"]]))
    task["reactivity_deadline_at"] = created_at + task["reactivity_time"]
    if chance(rng, 0.3):
        task["due_at"] = created_at + timedelta(days=rng.randint(1, 30))
    Lifecycle(rows, team, rng, task, created_at).simulate(minutes)
    return task


def _new_task(rng: random.Random, team: Team, topic: Topic, place: Place | None) -> Row:
    source = rng.choice(SOURCES)
    where = f", {next(reversed(place.values()))}" if place else ""
    title = f"{rng.choice(topic.titles)}{where}"
    owner_role = rng.choice(team.roles)
    requesters = team.persons
    if topic.visibilities == OPEN:
        requesters = [person for person in requesters if person["confidentiality_level"] == "normal"]
    return {
        "organization_id": team.row["id"],
        "case_id": None,
        "type": topic.type,
        "category": topic.category,
        "label": "",
        "title": f"Task-Title {title}",
        "description": f"SECRET-DESCRIPTION {title}: reported by {rng.choice(team.persons)['full_name']}.",
        "status": "PENDING",
        "priority": rng.choice(PRIORITIES),
        "severity": rng.choice(SEVERITIES),
        "visibility": rng.choice(topic.visibilities or team.spec.visibilities),
        "source": source,
        "created_by_user_id": rng.choice(team.users)["id"] if source == "manual" else None,
        "requester_person_id": rng.choice(requesters)["id"] if chance(rng, 0.6) else None,
        "owner_role_id": owner_role["id"],
        "owner_user_id": None,
        "assignee_role": owner_role["code"] if chance(rng, 0.8) else None,
        "reactivity_time": None,
        "reactivity_deadline_at": None,
        "due_at": None,
        "escalation_level": 0,
        "closed_at": None,
        "metadata": to_json({"channel": source, "language": team.spec.locale}),
    }


class Lifecycle:
    """The lifecycle of one task. Each step changes the task as Orgo does and adds the matching event."""

    def __init__(self, rows: Rows, team: Team, rng: random.Random, task: Row, now: datetime) -> None:
        """Start at the moment `now` in the lifecycle of `task`."""
        self.rows, self.team, self.rng, self.task = rows, team, rng, task
        self.now = now
        self.assignment: Row | None = None

    def simulate(self, minutes: tuple[float, float]) -> None:
        """Add the steps from the task's creation to its end, as far as they happen before AS_OF.

        `minutes` are the medians from the creation to the first response and from there to the end.
        """
        creator = self.task["created_by_user_id"]
        self.event("created", None, {"status": "PENDING"}, actor=creator, origin=self._origin())
        slowness = URGENCY[self.task["priority"]] * delay(self.team.spec, self._local(self.now).date())
        response, work = (self._around(median * slowness) for median in minutes)
        if chance(self.rng, FORGOTTEN):
            response += self.rng.uniform(*WEEKS)
        is_stuck = chance(self.rng, STUCK)
        steps = self._steps(is_stuck)
        shares = [0.2 + self.rng.random() for _ in steps]
        if not self._wait(response):
            return
        for step, share in zip(steps, shares, strict=True):
            self._apply(step)
            if not self._wait(work * share / sum(shares)):
                return
        # Nobody is left in an archived organization to close what waits.
        if not is_stuck or (self.team.spec.status != "archived" and self._wait(self.rng.uniform(*WEEKS))):
            self.close(self.rng.choice(FINAL_STATUS))

    def _steps(self, is_stuck: bool) -> list[str]:
        first = self.rng.choice(FIRST_STEPS)
        rest = [step for step in ("assign", "start") if step != first and (step == "start" or chance(self.rng, 0.2))]
        for share, incidental in INCIDENTALS:
            if chance(self.rng, share):
                rest.extend(incidental)
        if is_stuck and chance(self.rng, 0.5):
            rest.append("hold")
        return [first, *rest]

    def _around(self, median: float) -> float:
        return median * self.rng.choice(SPREAD) * (0.5 + self.rng.random())

    def _local(self, moment: datetime) -> datetime:
        return moment + timedelta(hours=self.team.spec.utc_offset_hours)

    def _wait(self, minutes: float) -> bool:
        """Advance `now` by a minute and `minutes`, at least to the next working hours, and return True.

        Returns False and leaves `now` unchanged if the result is not before AS_OF.
        """
        then = self.now + timedelta(seconds=60 + int(minutes * 60))
        local = self._local(then)
        opening, closing = self.team.spec.hours
        if not opening <= local.hour < closing:
            days = 1 if local.hour >= closing else 0
            then += timedelta(days=days, hours=opening - local.hour)
        if then >= AS_OF:
            return False
        self.now = then
        return True

    def event(self, event_type: str, old: Any, new: Any, *, actor: str | None, origin: str = "ui") -> Row:
        """Add one event at `now`, with `old` and `new` as JSON and None as NULL."""
        return self.rows.add(
            "task_events",
            self.now,
            task_id=self.task["id"],
            organization_id=self.task["organization_id"],
            event_type=event_type,
            old_value=None if old is None else to_json(old),
            new_value=None if new is None else to_json(new),
            actor_user_id=actor,
            actor_role_id=None,
            origin=origin,
        )

    def _change(self, event_type: str, *, origin: str = "ui", **values: Any) -> None:
        """Set columns of the task and add the event with their old and new values."""
        old = {name: self.task[name] for name in values}
        self.task.update(values)
        self.task["updated_at"] = self.now
        actor = None if origin == "system_rule" else self._worker()
        self.event(event_type, old, values, actor=actor, origin=origin)

    def _origin(self) -> str:
        return {"manual": "ui", "email": "email"}.get(self.task["source"], "api")

    def _worker(self) -> str:
        worker: str = self.task["owner_user_id"] or self.rng.choice(self.team.users)["id"]
        return worker

    def _apply(self, step: str) -> None:
        rng, task = self.rng, self.task
        match step:
            case "start" | "resume":
                self._change("status_changed", status="IN_PROGRESS")
            case "hold":
                self._change("status_changed", status="ON_HOLD")
            case "assign":
                self._assign()
            case "comment":
                self.comment(self._worker(), rng.choice(COMMENTS))
            case "escalate":
                self._change("escalated", origin="system_rule", escalation_level=task["escalation_level"] + 1)
                self._change("status_changed", origin="system_rule", status="ESCALATED")
            case "priority":
                self._change("priority_changed", priority="CRITICAL" if task["priority"] == "HIGH" else "HIGH")
            case "deadline":
                due_at = (task["due_at"] or self.now) + timedelta(days=rng.randint(1, 14))
                self._change("deadline_updated", due_at=due_at)
            case "email":
                self.event("email_linked", None, {"thread": rng.randrange(10**6)}, actor=None, origin="email")
            case "metadata":
                task.update(metadata=to_json({"channel": task["source"], "checked": True}), updated_at=self.now)
                self.event("metadata_updated", None, {"checked": True}, actor=self._worker())

    def _assign(self) -> None:
        user, role = self.rng.choice(self.team.users), self.rng.choice(self.team.roles)
        if self.assignment:
            self.assignment.update(unassigned_at=self.now, updated_at=self.now)
        self.assignment = self.rows.add(
            "task_assignments",
            self.now,
            task_id=self.task["id"],
            assigned_role_id=role["id"],
            assigned_user_id=user["id"],
            is_primary=True,
            assigned_at=self.now,
            unassigned_at=None,
        )
        self._change("ownership_changed", owner_user_id=user["id"], owner_role_id=role["id"])

    def comment(self, author: str | None, text: str) -> Row:
        """Add a comment and its event at `now`; the task's row does not change."""
        comment = self.rows.add(
            "task_comments",
            self.now,
            task_id=self.task["id"],
            author_user_id=author,
            visibility=self.rng.choice(("internal_only", "requester_visible", "org_wide")),
            body=f"SECRET-BODY {text}",
        )
        self.event("comment_added", None, {"comment_id": comment["id"]}, actor=author)
        return comment

    def close(self, status: str) -> None:
        """Close the task at `now` with a terminal status."""
        self.task["closed_at"] = self.now
        self._change("status_changed", status=status)
