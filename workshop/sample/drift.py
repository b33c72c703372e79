"""Schema drift of deployed Orgo databases, which the sample applies to the clean schema."""

from typing import NamedTuple


class Drift(NamedTuple):
    """A statement that makes the schema deviate from the contract, and why deployed databases deviate."""

    statement: str
    why: str


DRIFT = (
    Drift(
        "alter table organizations alter column timezone drop not null",
        "organizations created before the timezone became required have none",
    ),
    Drift("alter table tasks drop column subtype", "a nullable column that a later migration added"),
    Drift("alter table user_accounts drop column last_login_at", "a nullable column that a later migration added"),
    Drift("alter table tasks alter column status type text", "text instead of an enum accepts unknown tokens"),
    Drift("alter table tasks alter column priority type text", "text instead of an enum accepts unknown tokens"),
    Drift("alter table tasks alter column severity type text", "contains the historical token info"),
    Drift("alter table tasks alter column visibility type text", "text instead of an enum accepts unknown tokens"),
    Drift("alter table tasks alter column source type text", "contains the historical tokens ui, import and insight"),
    Drift("alter table cases alter column severity type text", "contains the historical token info"),
    Drift("alter table cases alter column source_type type text", "contains the historical token email_thread"),
    Drift("alter table tasks alter column metadata type text", "text instead of jsonb is not validated"),
    Drift("alter table tasks alter column metadata drop not null", "imported tasks have no metadata"),
    Drift("alter table cases alter column location type text", "text preserves '' and the order of the keys"),
    Drift("alter table cases alter column location drop not null", "imported cases have no location"),
    Drift("alter table cases alter column metadata drop not null", "imported cases have no metadata"),
    Drift(
        "alter table task_events drop constraint task_events_task_id_fkey",
        "an archiving job deletes tasks and leaves their events",
    ),
)
