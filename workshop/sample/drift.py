"""How the sample's database differs from the clean schema: the drift of deployed Orgo databases, in one list."""

from typing import NamedTuple


class Drift(NamedTuple):
    """One statement that takes the schema away from the contract, and why deployed databases look like that."""

    statement: str
    why: str


DRIFT = (
    Drift(
        "alter table organizations alter column timezone drop not null",
        "organizations from before timezones were asked for have none",
    ),
    Drift("alter table tasks drop column subtype", "a nullable column that came with a later migration"),
    Drift("alter table user_accounts drop column last_login_at", "a nullable column that came with a later migration"),
    Drift("alter table tasks alter column status type text", "text instead of an enum lets unknown tokens in"),
    Drift("alter table tasks alter column priority type text", "text instead of an enum lets unknown tokens in"),
    Drift("alter table tasks alter column severity type text", "holds the historical token info"),
    Drift("alter table tasks alter column visibility type text", "text instead of an enum lets unknown tokens in"),
    Drift("alter table tasks alter column source type text", "holds the historical tokens ui, import and insight"),
    Drift("alter table cases alter column severity type text", "holds the historical token info"),
    Drift("alter table cases alter column source_type type text", "holds the historical token email_thread"),
    Drift("alter table tasks alter column metadata type text", "text instead of jsonb: nothing checks what it holds"),
    Drift("alter table tasks alter column metadata drop not null", "imported tasks have no metadata"),
    Drift("alter table cases alter column location type text", "text keeps '' and the order of the keys"),
    Drift("alter table cases alter column location drop not null", "imported cases have no location"),
    Drift("alter table cases alter column metadata drop not null", "imported cases have no metadata"),
    Drift(
        "alter table task_events drop constraint task_events_task_id_fkey",
        "an archiving job deletes tasks and leaves their events",
    ),
)
