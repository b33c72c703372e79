"""Generate what tasks refer to: organizations, profiles, users, people, roles, labels and learning groups."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from workshop.sample.rows import Row, Rows, chance, random_for, weighted
from workshop.sample.scenario import (
    AS_OF,
    BIRTH_YEAR,
    ORGANIZATIONS,
    SET_UP_AT,
    WINDOW_DAYS,
    WINDOW_START,
    Organization,
)

GIVEN_NAMES = ("Ada", "Bela", "Chiara", "Daniel", "Esra", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kaori", "Luis")
FAMILY_NAMES = ("Example", "Muster", "Sample", "Specimen", "Fictus", "Placeholder", "Invented")
CONFIDENTIALITY = weighted({"normal": 90, "sensitive": 7, "highly_sensitive": 3})

GLOBAL_ROLES = ("coordinator", "team_lead", "viewer")
GLOBAL_LABELS = (
    ("risk.high", "High risk", "risk"),
    ("risk.safety", "Safety risk", "risk"),
    ("topic.facilities", "Facilities", "topic"),
    ("topic.staff", "Staff", "topic"),
    ("visibility.confidential", "Confidential", "visibility"),
)
ORGANIZATION_LABELS = {
    "sample-hospital": (("risk.patient", "Patient at risk", "risk"), ("topic.wards", "Wards", "topic")),
    "sample-stores": (("topic.stock", "Stock", "topic"),),
    "sample-walking-club": (("topic.walks", "Walks", "topic"),),
}
# Labels of an organization that have the code of a global label.
SHADOWING_LABELS = {
    "sample-hospital": (("topic.facilities", "Buildings and technology", "topic"),),
    "sample-stores": (("risk.high", "Loss of goods or money", "risk"),),
}


@dataclass
class Team:
    """One organization with the rows that its cases and tasks refer to."""

    spec: Organization
    row: Row
    users: list[Row] = field(default_factory=list)
    persons: list[Row] = field(default_factory=list)
    roles: list[Row] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)
    groups: list[Row] = field(default_factory=list)


def add_people(rows: Rows) -> list[Team]:
    """Add the rows of all organizations and return one Team for each, in the order of ORGANIZATIONS."""
    roles = [rows.add("roles", SET_UP_AT, **_role(None, code), is_system_role=True) for code in GLOBAL_ROLES]
    labels = [_add_label(rows, None, definition) for definition in GLOBAL_LABELS]
    teams = [_add_team(rows, spec, roles, labels) for spec in ORGANIZATIONS]
    for team in teams:
        _add_learning_groups(rows, team)
    return teams


def _add_team(rows: Rows, spec: Organization, roles: list[Row], labels: list[Row]) -> Team:
    rng = random_for("people", spec.slug)
    ended_at = WINDOW_START + timedelta(days=spec.active_days[1])
    team = Team(
        spec,
        rows.add(
            "organizations",
            SET_UP_AT,
            ended_at if spec.status == "archived" else SET_UP_AT,
            slug=spec.slug,
            display_name=spec.name,
            legal_name=f"{spec.name} Ltd.",
            primary_domain=f"{spec.slug}.example",
            status=spec.status,
            timezone=spec.timezone,
            default_locale=spec.locale,
        ),
        roles=list(roles),
        labels=list(labels),
    )
    organization_id = team.row["id"]
    if spec.profile:
        rows.add("organization_profiles", SET_UP_AT, organization_id=organization_id, profile_code=spec.profile)
    for code in spec.roles:
        team.roles.append(rows.add("roles", SET_UP_AT, **_role(organization_id, code), is_system_role=False))
    for definition in ORGANIZATION_LABELS.get(spec.slug, ()) + SHADOWING_LABELS.get(spec.slug, ()):
        team.labels.append(_add_label(rows, organization_id, definition))
    for number in range(spec.users):
        team.users.append(_add_user(rows, team, rng, number))
    for number in range(spec.persons):
        team.persons.append(_add_person(rows, team, rng, number))
    return team


def _role(organization_id: str | None, code: str) -> Row:
    name = code.replace("_", " ").capitalize()
    return {"organization_id": organization_id, "code": code, "display_name": name, "description": f"{name}."}


def _add_label(rows: Rows, organization_id: str | None, definition: tuple[str, str, str]) -> Row:
    code, name, category = definition
    return rows.add(
        "label_definitions",
        SET_UP_AT,
        organization_id=organization_id,
        code=code,
        display_name=name,
        description=f"{name}, set by hand.",
        category=category,
        color_hint="#c0392b" if category == "risk" else None,
    )


def _add_user(rows: Rows, team: Team, rng: random.Random, number: int) -> Row:
    return rows.add(
        "user_accounts",
        SET_UP_AT,
        organization_id=team.row["id"],
        email=f"SECRET-CONTACT-user-{number:03}@{team.spec.slug}.example",
        display_name=_person_name(rng, number),
        status="active" if number % 20 else "inactive",
    )


def _add_person(rows: Rows, team: Team, rng: random.Random, number: int) -> Row:
    """Add a person; the first persons are linked to the first half of the users."""
    user = team.users[number] if number < team.spec.users // 2 else None
    return rows.add(
        "person_profiles",
        SET_UP_AT,
        organization_id=team.row["id"],
        linked_user_id=user["id"] if user else None,
        external_reference=f"External-Ref-{team.spec.slug}-{number:04}" if chance(rng, 0.8) else None,
        full_name=user["display_name"] if user else _person_name(rng, number),
        date_of_birth=date(BIRTH_YEAR, rng.randint(1, 12), rng.randint(1, 28)) if chance(rng, 0.7) else None,
        primary_contact_email=f"SECRET-CONTACT-{number:04}@mail.example" if chance(rng, 0.9) else None,
        primary_contact_phone=f"SECRET-CONTACT +00 555 {number:04}" if chance(rng, 0.5) else None,
        confidentiality_level=rng.choice(CONFIDENTIALITY),
    )


def _person_name(rng: random.Random, number: int) -> str:
    return f"Person-Name {rng.choice(GIVEN_NAMES)} {rng.choice(FAMILY_NAMES)} {number:03}"


def _add_learning_groups(rows: Rows, team: Team) -> None:
    """Add the groups with up to two memberships per person, about a third of which have ended."""
    rng = random_for("learning groups", team.spec.slug)
    for code in team.spec.learning_groups:
        group = rows.add(
            "learning_groups",
            SET_UP_AT,
            organization_id=team.row["id"],
            code=code,
            name=code.replace("-", " ").capitalize(),
            description="Meets every other week.",
            category=rng.choice(("course", "study_circle")),
            advisor_role_id=rng.choice(team.roles)["id"],
        )
        team.groups.append(group)
    for person in team.persons if team.groups else ():
        for number, group in enumerate(rng.sample(team.groups, rng.choice((0, 0, 1, 1, 2)))):
            _add_membership(rows, rng, person, group, "tutor" if number else "learner")


def _add_membership(rows: Rows, rng: random.Random, person: Row, group: Row, role: str) -> None:
    joined_at = WINDOW_START + timedelta(days=rng.randrange(WINDOW_DAYS - 200), hours=rng.randrange(24))
    leaves_at = joined_at + timedelta(days=rng.randint(30, 400))
    left_at = None if chance(rng, 0.67) or leaves_at >= AS_OF else leaves_at
    rows.add(
        "learning_group_memberships",
        joined_at,
        left_at,
        learning_group_id=group["id"],
        person_id=person["id"],
        role=role,
        joined_at=joined_at,
        left_at=left_at,
    )
