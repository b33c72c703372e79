"""Small random operational scenarios, one organization each: the same ones for the same numbers, on every machine.

They are made of what the rules turn on: days at the edges of windows and stretches, few domains, labels and locations
so that groups collide, every way to say that a location is missing, every way to be a source.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

import psycopg

from workshop.operational import create_operational_schema
from workshop.sample.load import copy_rows

Row = dict[str, Any]
Choice = TypeVar("Choice")

TABLES = (
    *("organizations", "organization_profiles", "user_accounts", "person_profiles", "label_definitions"),
    *("cases", "tasks", "entity_labels"),
)
# A database that has drifted: locations are text, and locations and metadata may be NULL.
DRIFT = """
    alter table cases alter column location type text, alter column location drop not null;
    alter table cases alter column metadata drop not null;
"""

PROFILES = (
    *("default", "friend_group", "hospital", "advocacy_group", "retail_chain", "military_organization"),
    *("environmental_group", "artist_collective", "no_such_profile", "Hospital", None, None),
)
DOMAINS = (
    *("maintenance", "education_support", "hr_case", "it_support", " it_support ", "generic", "Zoo", "zebra", "äpfel"),
    "",
)
LABELS = (
    *("100.94.Operations.Safety", "101.94.Operations.Safety", "11.94.Operations.Safety", "11.94.HR", "11.94"),
    *(
        "1001.94",
        " 11.94 ",
        "10.94",
        "1000.94.HR",
        "1.32",
        "2.32.Finance",
        "101.32",
        "101.96",
        "wet floor",
        "",
        "11.94.",
    ),
    *("11.94..Safety", "3.94.HR", "11.94.hr", "11.11.Head of ops", "\t11.94", "11.94.\t"),
)
MISSING_LOCATIONS = (None, "", "null", "{}", " { } ", '""')
LOCATIONS = (
    *('{"site": "A", "floor": 1}', '{"floor":1,"site":"A"}', '{"site": "A", "floor": 1.0}', '{"site": "B"}'),
    *('{"room": {"no": 7, "b": [1, {"z": null, "y": true}]}}', '{"room": {"b": [1, {"y":true,"z":null}], "no": 7}}'),
    *("lobby", '"lobby"', "[]", '{"größe": "ß\\n"}'),
)
METADATA = (None, "{}", "{}", "{}", '{"origin": "email"}', '{"origin": "Insights"}', '{"visibility": "PUBLIC"}')
RARE_METADATA = (
    *('{"visibility": "anonymised"}', '{"visibility": "secret"}', '{"visibility": null}', '{"origin": "insights"}'),
)
SPANS = (1, 2, 7, 8, 28, 29, 30, 31, 60, 61, 90, 91, 180, 365, 730)
TIMES = (time(), time(23, 59, 59, 999999), time(12), time(7, 30))


class Scenario:
    """One organization and its rows. `edges` are the days at which windows begin and end."""

    def __init__(self, number: int, edges: Iterable[date]) -> None:
        """Make scenario `number`."""
        self.rng = random.Random(f"pattern scenario {number}")  # noqa: S311 - it has to repeat itself
        self.edges = tuple(edges)
        self.rows: dict[str, list[Row]] = {table: [] for table in TABLES}
        self.domains = self._some(DOMAINS, 3)
        self.labels = self._some(LABELS, 4)
        self.locations: list[str | None] = [*self._some(LOCATIONS, 2), *self._some(MISSING_LOCATIONS, 2)]
        self.organization = self._add(
            "organizations", self._long_ago(), slug=f"scenario-{number}", display_name="Scenario"
        )
        self._choose_profile()
        self._add_people()
        self._add_labels()
        wanted = self.rng.randint(5, 60)
        while len(self.rows["cases"]) < wanted:
            self._add_cluster(min(self.rng.choice((1, 2, 3, 4, 5, 6, 10, 12)), wanted - len(self.rows["cases"])))

    def _add(self, table: str, created_at: datetime, updated_at: datetime | None = None, **columns: Any) -> str:
        digits = f"{self.rng.getrandbits(128):032x}"
        row_id = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
        if table != "organizations":
            columns["organization_id"] = self.organization
        self.rows[table].append(
            {"id": row_id, **columns, "created_at": created_at, "updated_at": updated_at or created_at}
        )
        return row_id

    def _some(self, choices: Iterable[Choice], number: int) -> list[Choice]:
        return self.rng.sample(list(choices), number)

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _long_ago(self) -> datetime:
        return datetime(2020, 1, 1, tzinfo=UTC)

    def _choose_profile(self) -> None:
        code = self.rng.choice(PROFILES)
        if code is not None:
            self._add("organization_profiles", self._long_ago(), profile_code=code)

    def _add_people(self) -> None:
        started = self._long_ago()
        self.users = [
            self._add("user_accounts", started, email=f"{n}@example.org", display_name="User")
            for n in range(self.rng.randint(1, 3))
        ]
        linked = [None, *self.users]
        levels = ("normal", "normal", "normal", "sensitive", "highly_sensitive")
        self.persons = [
            self._add(
                "person_profiles",
                started,
                linked_user_id=self.rng.choice(linked),
                full_name="Person",
                confidentiality_level=self.rng.choice(levels),
            )
            for _ in range(self.rng.randint(1, 3))
        ]

    def _add_labels(self) -> None:
        self.definitions = [
            self._add("label_definitions", self._long_ago(), code=category, display_name="Label", category=category)
            for category in ("risk", "topic")
        ]
        if self._chance(0.5):
            self.rows["label_definitions"][0]["organization_id"] = None

    def _add_cluster(self, size: int) -> None:
        """Return similar cases within some days that end or begin near an edge, or anywhere."""
        span, edge = self.rng.choice(SPANS), self.rng.choice(self.edges)
        last = edge + timedelta(days=self.rng.choice((-span, -1, 0, span - 1, 40 - span)))
        domain, label = self.rng.choice(self.domains), self.rng.choice(self.labels)
        location = self.rng.choice(self.locations)
        for _ in range(size):
            day = last - timedelta(days=self.rng.choice((0, span - 1, self.rng.randrange(span))))
            if self._chance(0.2):
                label = self.rng.choice(self.labels)
            self._add_case(datetime.combine(day, self.rng.choice(TIMES), UTC), domain, label, location)

    def _add_case(self, opened_at: datetime, domain: str, label: str, location: str | None) -> None:
        case = self._add(
            "cases",
            opened_at,
            max(opened_at, self._near_an_edge()),
            source_type=self.rng.choice(("email", "api", "manual", "sync")),
            source_reference=self.rng.choice((None, "ticket 1", "ticket 2 ", "ticket 2", "email", " ")),
            label=label,
            title="Case",
            status=self.rng.choice(("open", "in_progress", "resolved", "archived")),
            severity=self.rng.choice(("MINOR", "MINOR", "MODERATE", "MODERATE", "MAJOR", "CRITICAL")),
            reactivity_time=self._until_an_edge(opened_at),
            origin_vertical_level=11,
            origin_role="Operations",
            location=location,
            metadata=self.rng.choice(RARE_METADATA if self._chance(0.15) else METADATA),
        )
        for _ in range(self.rng.choice((0, 1, 1, 1, 2, 2, 3, 4))):
            self._add_task(case, opened_at, domain if self._chance(0.8) else self.rng.choice(self.domains))
        if self._chance(0.15):
            self._label(case, opened_at)

    def _add_task(self, case: str, opened_at: datetime, domain: str) -> None:
        late = self._chance(0.1)
        created_at = max(opened_at, self._near_an_edge()) if late else opened_at
        people = (None, None, *self.persons)
        self._add(
            "tasks",
            created_at,
            case_id=case,
            type=domain,
            category="incident",
            label="11.94",
            title="Task",
            visibility=self.rng.choice(("PUBLIC", "INTERNAL", "INTERNAL", "INTERNAL", "RESTRICTED", "ANONYMISED")),
            source=self.rng.choice(("email", "api", "manual", "sync")),
            created_by_user_id=self.rng.choice((None, None, *self.users)),
            requester_person_id=self.rng.choice(people),
        )

    def _label(self, case: str, applied_at: datetime) -> None:
        for definition in self._some(self.definitions, self.rng.randint(1, 2)):
            self._add(
                "entity_labels",
                applied_at,
                label_id=definition,
                entity_type=self.rng.choice(("case", "case", "case", "task")),
                entity_id=case,
                applied_at=applied_at,
            )

    def _near_an_edge(self) -> datetime:
        midnight = datetime.combine(self.rng.choice(self.edges), time(), UTC)
        return midnight + self.rng.choice((timedelta(0), timedelta(microseconds=-1), timedelta(days=3)))

    def _until_an_edge(self, opened_at: datetime) -> timedelta | None:
        if self._chance(0.5):
            return None
        found = self._near_an_edge() - opened_at + self.rng.choice((timedelta(0), timedelta(microseconds=1)))
        return found if found > timedelta(0) else timedelta(hours=8)


def load_scenarios(connection: psycopg.Connection, number: int, edges: Iterable[date]) -> None:
    """Make the operational tables, drifted, and fill them with `number` scenarios."""
    create_operational_schema(connection)
    connection.execute(DRIFT)
    edges = tuple(edges)
    scenarios = [Scenario(n, edges) for n in range(number)]
    for table in TABLES:
        copy_rows(connection, table, [row for scenario in scenarios for row in scenario.rows[table]])
