"""Who gets which digest with which rows, why somebody gets none, and mistakes in the configuration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.config_project import ConfigProject
from support.digests.by_hand import AS_OF, HOSPITAL, STORES, recipient, sent, with_digests
from support.digests.receiver import Receiver
from support.monitoring.receivers import MailServer
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import Settings
from orchestration.digests.plan import made_reviews, plan
from orchestration.warehouse.database import Database

pytestmark = pytest.mark.services
HORIZON = "update insights_ops.load_log set horizon = '{}' where relation_name = 'report_monthly_trends'"
STATUS = "update insights.dim_organizations set status = '{}' where slug = 'sample-stores'"


def reasons(settings: Settings, as_of: date = AS_OF) -> list[str | None]:
    with Database.open(settings) as db:
        return [one.reason for one in plan(db, as_of)]


def test_a_role_that_may_see_more_gets_no_row_that_may_not_leave(
    warehouse: Warehouse, settings: Settings, chat: Receiver
) -> None:
    access = settings.insights.access.model_copy(update={"restricted_roles": ["chief"], "anonymised_roles": ["chief"]})
    every = {"allowed_visibilities": ["PUBLIC", "INTERNAL", "RESTRICTED", "ANONYMISED"]}
    exports = settings.insights.exports.model_copy(update=every)
    wide = replace(settings, insights=settings.insights.model_copy(update={"access": access, "exports": exports}))
    told = sent(with_digests(wide, recipient("chief", roles=["chief"], webhook_url="${CHAT_URL}")))
    assert [one.status for one in told] == ["sent"]
    assert chat.got[0][1]["visibilities"] == ["PUBLIC", "INTERNAL"]
    assert "Secret" not in str(chat.got) and "Hidden" not in str(chat.got)


def test_a_role_that_may_see_less_gets_less(warehouse: Warehouse, settings: Settings, chat: Receiver) -> None:
    access = settings.insights.access.model_copy(update={"internal_roles": ["manager"]})
    narrow = replace(settings, insights=settings.insights.model_copy(update={"access": access}))
    sent(with_digests(narrow, recipient("visitors", roles=["visitor"], webhook_url="${CHAT_URL}")))
    assert (chat.got[0][1]["visibilities"], "Kitchen" in str(chat.got)) == (["PUBLIC"], False)
    access = access.model_copy(update={"public_roles": ["manager"]})
    nothing = replace(settings, insights=settings.insights.model_copy(update={"access": access}))
    mine = with_digests(nothing, recipient("nobody", roles=["visitor"]))
    assert reasons(mine) == ["its roles may see nothing that may leave"]
    assert sent(mine) == []


def test_who_gets_none_and_why(warehouse: Warehouse, settings: Settings) -> None:
    profile = settings.profiles["default"].model_copy(update={"notification_scope": "team"})
    unreviewed = profile.cyclic_overview.schedule.model_copy(update={"yearly": False})
    overview = profile.cyclic_overview.model_copy(update={"schedule": unreviewed})
    own = profile.model_copy(update={"cyclic_overview": overview})
    insights = settings.insights
    patterns = insights.patterns.model_copy(update={"overrides_by_domain": {}})
    code = warehouse.value("select profile_code from insights.dim_organizations where slug = %s", HOSPITAL)
    other = replace(
        settings,
        insights=insights.model_copy(update={"patterns": patterns}),
        profiles={**settings.profiles, code: own},
    )
    mine = with_digests(
        other,
        recipient("paused", paused=True),
        recipient("unknown", organization="sample-hospitall"),
        recipient("all", scope="org_wide"),
        recipient("department", scope="department"),
        recipient("team", scope="team"),
        recipient("yearly", cadences=["yearly"]),
        recipient("monthly", cadences=["monthly"]),
    )
    assert reasons(mine) == [
        "paused",
        "There is no organization 'sample-hospitall': give a slug or id that `insights organizations` lists.",
        f"its scope is org_wide, and notification_scope of the profile {code} team",
        f"its scope is department, and notification_scope of the profile {code} team",
        None,
        f"the profile {code} and those of its domains have no yearly review",
        "no review in the last 10 days",  # the newest is of 2026-01-01
    ]
    assert reasons(with_digests(settings, recipient(), paused=True)) == ["paused"]
    warehouse.execute(STATUS.format("archived"))
    try:
        archived = reasons(with_digests(settings, recipient(organization=STORES)))
    finally:
        warehouse.execute(STATUS.format("active"))
    assert archived == ["the organization is archived"]


def test_a_digest_with_figures_waits_for_its_months(warehouse: Warehouse, settings: Settings) -> None:
    mine = with_digests(settings, recipient(cadences=["weekly", "monthly", "yearly"]))
    day = date(2026, 1, 5)

    def planned() -> list[tuple[str, str | None, bool]]:
        with Database.open(mine) as db:
            return [(one.cadence, one.waits, one.is_due) for one in plan(db, day) if one.asked]

    warehouse.execute(HORIZON.format("2025-12-31"))
    reason = "report_monthly_trends is not loaded up to 2026-01-01"
    try:
        waiting = planned()
    finally:
        warehouse.execute(HORIZON.format("2026-01-01"))
    assert [one for one in waiting if one[0] != "weekly"] == [("monthly", reason, False), ("yearly", reason, False)]
    assert [one for one in planned() if one[0] != "weekly"] == [("monthly", None, True), ("yearly", None, True)]


def test_a_weekly_digest_needs_no_months(warehouse: Warehouse, settings: Settings, post: MailServer) -> None:
    """In the first weeks of a warehouse, no month has been reported yet."""
    warehouse.execute("alter table insights.report_monthly_trends rename to not_built_yet")
    try:
        told = sent(with_digests(settings, recipient()))
    finally:
        warehouse.execute("alter table insights.not_built_yet rename to report_monthly_trends")
    assert [one.status for one in told] == ["sent"]


def test_months_before_the_first_loaded_one_are_not_known(warehouse: Warehouse, settings: Settings) -> None:
    with Database.open(settings) as db:
        made = made_reviews(db, date(2026, 1, 5))
    # The sample of dev keeps the raw events of two months.
    assert (made.aggregates_from, made.aggregates_to) == (date(2025, 11, 1), date(2026, 1, 1))


def test_mistakes_in_recipients_are_found(tmp_path: Path) -> None:
    project = ConfigProject.copy_to(tmp_path)
    one = "{ name: same, organization: a, roles: [manager], scope: user, mail: a@example.org }"
    none = "{ name: none, organization: a, roles: [manager], scope: user }"
    both = one[:-2].replace("same", "both") + ", webhook_url: 'https://hidden.example.org/x' }"
    project.edit("    recipients: []", f"    recipients: [{one}, {one}, {none}, {both}]")
    said = [line.replace('"', "") for line in project.said()]
    assert [line.partition("insights.digests.")[2] for line in said] == [
        "recipients.1.name is same: names two recipients, and only one of them would get its digests",
        "recipients.2.name is none: must have either mail or webhook_url",
        "recipients.3.name is both: must have either mail or webhook_url",
    ]
    assert "hidden" not in str(said)


def test_values_that_reach_too_many_are_errors(tmp_path: Path) -> None:
    project = ConfigProject.copy_to(tmp_path)
    given = "organization: a, scope: user"
    project.edit(
        "    recipients: []",
        f"""    recipients:
      - {{ name: never, {given}, roles: [m], mail: a@example.org, cadences: [] }}
      - {{ name: everybody, {given}, roles: ["*"], mail: a@example.org }}
      - {{ name: unscoped, organization: a, roles: [m], mail: a@example.org }}
      - {{ name: hidden, {given}, roles: [m], mail: 'https://chat.example.org/hidden-part' }}
      - {{ name: other, {given}, roles: [m], webhook_url: 'ftp://chat.example.org/hidden-part' }}
      - {{ name: plain, {given}, roles: [m], webhook_url: 'http://chat.example.org/hidden-part' }}""",
    )
    said = project.said()
    for where in ("0.cadences", "2.scope", "3.mail"):
        assert any(f"recipients.{where}" in line for line in said), where
    assert "hidden-part" not in str(said)
    project.edit(", cadences: []", "")
    project.edit("- { name: unscoped,", "- { name: unscoped, scope: user,")
    project.edit("mail: 'https://chat.example.org/hidden-part'", "mail: a@example.org")
    said = [line.partition("insights.digests.")[2] for line in project.said()]
    assert [line for line in said if "must" in line or "role" in line] == [
        "recipients.4.webhook_url is ***: must begin with https://",
        "recipients.5.webhook_url is ***: must begin with https://",
        'recipients.1.roles.0 is "*": is not a role code; wildcards are allowed in access only',
    ]


def test_the_address_of_a_webhook_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = ConfigProject.copy_to(tmp_path)
    literal = "{ name: one, organization: a, roles: [m], scope: user, webhook_url: 'https://chat.example.org/hidden' }"
    late = "{ name: two, organization: a, roles: [m], scope: user, webhook_url: '${CHAT_URL}' }"
    project.edit("    recipients: []", f"    recipients: [{literal}, {late}]")
    monkeypatch.setenv("INSIGHTS_CONFIG", str(project.folder / "config"))
    monkeypatch.setenv("CHAT_URL", "https://chat.example.org/hidden")
    shown = CliRunner().invoke(commands, ["config", "show"], catch_exceptions=False).stdout
    assert "hidden" not in shown
    assert shown.count("digests.recipients") > 2
    monkeypatch.delenv("CHAT_URL")
    checked = CliRunner().invoke(commands, ["config", "check"], catch_exceptions=False)
    assert checked.exit_code == 0, checked.output
    assert "recipients.0.webhook_url is ***: anyone with this address can write there" in checked.output
    unset = "the environment variable CHAT_URL is not set; only commands that use it need it"
    assert f"recipients.1.webhook_url is ***: {unset}" in checked.output
