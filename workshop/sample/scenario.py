"""Definitions for the sample: its organizations, the topics of their work, their places and recurring incidents.

SAMPLE_AS_OF is the UTC date that the sample is made for: WINDOW_DAYS days of activity end before it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

SEED = "orgo-insights-sample"
SAMPLE_AS_OF = date(2026, 1, 1)
WINDOW_DAYS = 730
AS_OF = datetime.combine(SAMPLE_AS_OF, time.min, UTC)
WINDOW_START = AS_OF - timedelta(days=WINDOW_DAYS)
SET_UP_AT = WINDOW_START - timedelta(days=60)

# Leak tests search for these markers. Texts that must never leave the operational tables contain one of the first,
# texts that are declared PII in the marts one of the second. Every date of birth is in BIRTH_YEAR.
NEVER_STAGED_MARKERS = ("SECRET-DESCRIPTION", "SECRET-BODY", "SECRET-NOTES", "SECRET-CONTACT")
PII_MARKERS = ("Person-Name", "Case-Title", "Task-Title", "External-Ref")
BIRTH_YEAR = 1888

Place = dict[str, str]


@dataclass(frozen=True)
class Topic:
    """One kind of work.

    `type` and `category` are those of its tasks; `tail` is the label after its base (code and horizontal role).
    `minutes` are its median response and completion, where they differ from the organization's: the configuration
    judges some types by another profile. Topics that are OPEN have no requester whose profile is sensitive.
    """

    type: str
    category: str
    tail: str
    titles: tuple[str, ...]
    weight: int = 10
    visibilities: tuple[str, ...] = ()
    minutes: tuple[float, float] | None = None


@dataclass(frozen=True)
class Period:
    """Local days, `first` to `last`, that multiply an organization's usual activity and durations."""

    first: date
    last: date
    activity: float
    delay: float


@dataclass(frozen=True)
class Cluster:
    """A recurring incident: one case per entry of `days_before_as_of`."""

    topic: Topic
    base: str
    place: Place | None
    severity: str
    days_before_as_of: tuple[int, ...]


@dataclass(frozen=True)
class Organization:
    """One organization and its activity.

    `utc_offset_hours` approximates its timezone (daylight saving time is ignored), `hours` are the local working hours
    [from, to), `weekday_weights` the activity per weekday from Monday and `month_weights` per month from January.
    `minutes` are the medians from a task's creation to its first response and from there to its end. Factors of them
    are `pace`, which changes steadily from its first value to its second over the window, `weekend_delay`, and the
    `delay` of `periods`. `active_days` is the range of days with activity, from the start of the window.
    """

    slug: str
    name: str
    profile: str | None
    timezone: str | None
    utc_offset_hours: int
    locale: str
    status: str
    hours: tuple[int, int]
    weekday_weights: tuple[int, ...]
    month_weights: tuple[int, ...]
    minutes: tuple[float, float]
    tasks: int
    cases: int
    users: int
    persons: int
    checkins: int
    topics: tuple[Topic, ...]
    places: tuple[Place, ...]
    roles: tuple[str, ...]
    visibilities: tuple[str, ...]
    clusters: tuple[Cluster, ...] = ()
    learning_groups: tuple[str, ...] = ()
    active_days: tuple[int, int] = (0, WINDOW_DAYS)
    periods: tuple[Period, ...] = ()
    pace: tuple[float, float] = (1.0, 1.0)
    weekend_delay: float = 1.0


OPEN = ("INTERNAL", "INTERNAL", "PUBLIC")
CONFIDENTIAL = ("RESTRICTED", "RESTRICTED", "RESTRICTED", "ANONYMISED")
HR = Topic("hr_case", "request", "52.HR.Support", ("Leave conflict", "Shift complaint"), 5, CONFIDENTIAL, (90, 400))
NEWS = Topic("generic", "distribution", "65.Communication", ("New opening hours", "Monthly bulletin"), 4)
BUDGET = Topic("finance", "report", "74.Finance", ("Budget question", "Invoice mismatch"), 5)
BOARD = Topic("generic", "update", "23", ("Board decision to carry out",), 2)

SAFETY = Topic("maintenance", "incident", "91.Operations.Safety", ("Wet floor", "Blocked exit"), 8, OPEN)
MEDICATION = Topic("patient_care", "incident", "31.Care.Medication", ("Medication mixed up",), 6)
ALARM = Topic("maintenance", "incident", "81.Technical.Alarm", ("Alarm without a place",), 1, OPEN)
LOBBY: Place = {"building": "North", "floor": "0", "room": "Lobby"}
WARD: Place = {"building": "South", "floor": "3", "room": "Ward 3B"}

HOSPITAL = Organization(
    slug="sample-hospital",
    name="Sample Hospital",
    profile="hospital",
    timezone="Europe/Zurich",
    utc_offset_hours=1,
    locale="de-CH",
    status="active",
    hours=(0, 24),
    weekday_weights=(12, 11, 11, 11, 11, 7, 6),
    month_weights=(12, 11, 10, 9, 9, 8, 8, 8, 9, 10, 10, 11),
    minutes=(0.8, 11),
    tasks=9_000,
    cases=700,
    users=120,
    persons=600,
    checkins=1_000,
    topics=(
        SAFETY,
        MEDICATION,
        ALARM,
        HR,
        NEWS,
        BUDGET,
        BOARD,
        Topic("maintenance", "request", "11.Operations.Facilities", ("Broken light", "Lift out of order"), 18),
        Topic("patient_care", "request", "41.Care.Wards", ("Patient transport", "Second opinion"), 22),
        Topic("it_support", "request", "81.Technical.IT", ("Password reset", "Printer offline"), 14),
        Topic("education_support", "request", "51.Training.Nursing", ("Course place",), 6, CONFIDENTIAL, (90, 600)),
    ),
    places=(
        LOBBY,
        WARD,
        *(
            {"building": building, "floor": str(floor), "room": room}
            for building in ("North", "South", "East")
            for floor in range(1, 5)
            for room in ("Ward A", "Ward B", "Stairs")
        ),
    ),
    roles=("ward_nurse", "facility_manager", "quality_officer", "it_support", "hr_officer"),
    visibilities=("INTERNAL", "INTERNAL", "INTERNAL", "RESTRICTED", "RESTRICTED", "PUBLIC"),
    clusters=(
        Cluster(SAFETY, "1001", LOBBY, "MODERATE", (4, 5, 7, 9, 32, 33, 40, 95, 96, 180, 181, 183, 400, 401)),
        Cluster(MEDICATION, "101", WARD, "MAJOR", (6, 8, 60, 62, 65, 200, 203)),
        Cluster(ALARM, "1001", None, "MINOR", (5, 6, 8, 10, 34, 36, 60, 61, 90, 92, 150, 151, 300, 301, 500)),
    ),
    learning_groups=("wound-care", "hygiene", "first-year", "leadership", "night-shift", "german-b2"),
    periods=(Period(date(2025, 2, 1), date(2025, 2, 28), 1.5, 3.2),),  # a wave of influenza
    weekend_delay=1.4,
)

AT_ONCE = (0.8, 11)  # what stops the sale is judged by the hospital's profile
FREEZER = Topic("maintenance", "incident", "81.Technical.Cooling", ("Freezer too warm",), 6, OPEN, AT_ONCE)
# A text that a page must show and not obey: somebody typed it into a field of Orgo.
MARKUP = '<img src=x onerror="document.title=1">'
STORE_12: Place = {"store": "12", "area": f"cold room {MARKUP}"}

RETAIL = Organization(
    slug="sample-stores",
    name="Sample Stores",
    profile="retail_chain",
    timezone="America/Toronto",
    utc_offset_hours=-5,
    locale="en-CA",
    status="active",
    hours=(8, 21),
    weekday_weights=(9, 9, 9, 10, 13, 16, 8),
    month_weights=(8, 7, 8, 9, 9, 9, 9, 9, 9, 10, 13, 15),
    minutes=(150, 600),
    tasks=8_000,
    cases=600,
    users=100,
    persons=400,
    checkins=400,
    topics=(
        FREEZER,
        HR,
        NEWS,
        BUDGET,
        BOARD,
        Topic("stock", "request", "11.Operations.Stock", ("Shelf empty", "Wrong delivery"), 24),
        Topic("customer_complaint", "incident", "41.Customer.Service", ("Wrong price", "Long queue"), 20),
        Topic("stock", "report", "14.Operations.Stock", ("Weekly stock count",), 8),
        Topic("maintenance", "request", "81.Technical.Tills", ("Till frozen", "Scanner broken"), 12, minutes=AT_ONCE),
    ),
    places=(
        STORE_12,
        *({"store": str(store), "area": area} for store in range(1, 21) for area in ("tills", "aisles", "back office")),
    ),
    roles=("store_manager", "stock_clerk", "cashier", "technician", "hr_officer"),
    visibilities=("INTERNAL", "INTERNAL", "INTERNAL", "PUBLIC"),
    clusters=(Cluster(FREEZER, "1001", STORE_12, "MAJOR", (3, 8, 17, 22, 31, 45, 120, 200, 201)),),
    learning_groups=("till-basics", "food-safety", "new-managers"),
    pace=(1.8, 0.5),
    periods=(
        Period(date(2024, 11, 25), date(2024, 12, 31), 1.2, 1.3),
        Period(date(2025, 11, 24), date(2025, 12, 31), 1.2, 1.3),
    ),
)

KEYS = Topic("generic", "incident", "11.Club.Keys", ("Club key lost",), 5, OPEN)
CLUBHOUSE: Place = {"place": "clubhouse"}

CLUB = Organization(
    slug="sample-walking-club",
    name="Sample Walking Club",
    profile="friend_group",
    timezone="Pacific/Auckland",
    utc_offset_hours=12,
    locale="en-NZ",
    status="active",
    hours=(9, 23),
    weekday_weights=(5, 5, 6, 6, 9, 20, 18),
    month_weights=(14, 13, 12, 10, 8, 5, 4, 5, 9, 11, 12, 13),
    minutes=(600, 5_000),
    tasks=2_960,
    cases=198,
    users=25,
    persons=150,
    checkins=600,
    topics=(
        KEYS,
        NEWS,
        BUDGET,
        Topic("event_planning", "request", "11.Club.Walks", ("Route wanted", "Bus to book"), 30),
        Topic("education_support", "request", "51.Club.Courses", ("Tutor wanted",), 12, CONFIDENTIAL, (120, 600)),
        Topic("generic", "request", "81.Club.House", ("Heating off", "Gate sticks"), 10),
    ),
    places=(CLUBHOUSE, *({"place": place} for place in ("hut", "trailhead", "harbor", "kitchen", "workshop", "shed"))),
    roles=("treasurer", "walk_leader", "caretaker"),
    visibilities=("PUBLIC", "PUBLIC", "PUBLIC", "INTERNAL"),
    clusters=(Cluster(KEYS, "101", CLUBHOUSE, "MINOR", (12, 30, 44, 61, 80, 88, 300)),),
    learning_groups=("map-reading", "first-aid", "te-reo", "photography", "maths-help"),
    periods=(
        Period(date(2024, 12, 24), date(2025, 1, 5), 0.4, 1.6),
        Period(date(2025, 12, 24), date(2026, 1, 5), 0.4, 1.6),
    ),
    weekend_delay=0.7,
)

THEATRE = Organization(
    slug="sample-theatre",
    name="Sample Theatre",
    profile=None,
    timezone=None,
    utc_offset_hours=0,
    locale="en",
    status="archived",
    hours=(10, 22),
    weekday_weights=(1, 1, 1, 1, 2, 3, 2),
    month_weights=(1,) * 12,
    minutes=(90, 400),
    tasks=40,
    cases=2,
    users=3,
    persons=5,
    checkins=0,
    topics=(BUDGET, Topic("event_planning", "request", "11.Stage", ("Rehearsal room",), 10)),
    places=({"place": "stage"}, {"place": "foyer"}),
    roles=("stage_manager",),
    visibilities=("INTERNAL",),
    active_days=(0, 200),
)

ORGANIZATIONS = (HOSPITAL, RETAIL, CLUB, THEATRE)
