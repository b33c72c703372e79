"""Fills the cache before anybody asks (specification, sections 2.3 and 4.1): what is asked most comes first.

An answer that is fresh is left alone: it stays readable until the next warm-up. What was written is read back as a
reader would, by the reader's own key, and a warm-up says how much of it is found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from orchestration.cache.entries import Entry
from orchestration.cache.store import CacheRefusedError, CacheUnavailableError
from orchestration.config.files import Settings
from orchestration.dashboards.access import visible
from orchestration.dashboards.question import Asked, Question
from orchestration.dashboards.reader import Reader
from orchestration.errors import InsightsError, MisconfiguredError, UnavailableError

BATCH = 50  # questions that are computed, and kept, in one round trip each, at most
FIRST_BATCH = 5  # until it is known how long they take


@dataclass
class Warmed:
    """What became of one dashboard's questions; the numbers are questions.

    `fresh` were left alone, `computed` asked of the warehouse, of these `kept` written; `found` of fresh and kept were
    read back as a reader would; `unreached` were left for lack of time. `trouble` is why the first was not kept.
    """

    fresh: int = 0
    computed: int = 0
    kept: int = 0
    failed: int = 0
    found: int = 0
    unreached: int = 0
    trouble: str | None = None

    @property
    def share(self) -> float | None:
        """The share, 0 to 1, of what should be in the cache that a reader finds there; None when nothing should."""
        wanted = self.fresh + self.computed + self.failed
        return self.found / wanted if wanted else None


@dataclass
class WarmReport:
    """What a warm-up did, by dashboard, and in how many seconds."""

    dashboards: dict[str, Warmed] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether a reader finds everything that there was time for."""
        return all(warmed.share in (None, 1.0) for warmed in self.dashboards.values())


def warm(reader: Reader, settings: Settings, names: Sequence[str] = (), seconds: float | None = None) -> WarmReport:
    """Compute and keep answers of these dashboards, or of all, for at most `seconds` (default: `cache.warm_seconds`).

    No dashboard gets more than `max_keys_per_dashboard` questions. Raises InsightsError without a Redis that answers,
    and when the warehouse cannot even name its organizations.
    """
    started = time.monotonic()
    budget = settings.insights.cache.warm_seconds if seconds is None else seconds
    chosen = [name for name in reader.dashboards if not names or name in names]
    report = WarmReport({name: Warmed() for name in chosen})
    questions = iter(candidates(reader, settings, chosen))
    ends, slowest = started + budget, 0.0
    while batch := list(islice(questions, _size(slowest, ends))):
        before = time.monotonic()
        if before >= ends:
            for question in (*batch, *questions):
                report.dashboards[question.dashboard].unreached += 1
            break
        computed = _warm_batch(reader, report, batch, ends)
        if computed:
            slowest = max(slowest, (time.monotonic() - before) / computed)
    report.seconds = time.monotonic() - started
    return report


def candidates(reader: Reader, settings: Settings, names: Sequence[str]) -> list[Question]:
    """What to warm: the questions asked since yesterday, the most asked first; then those that every organization has.

    The organizations of asked questions come before the others. Raises InsightsError without a Redis that answers.
    """
    if reader.store is None:
        raise MisconfiguredError("There is no cache to warm: INSIGHTS_REDIS_URL is not set.")
    most = settings.insights.cache.max_keys_per_dashboard.of(settings.environment)
    try:
        asked = [pair for name in names for pair in reader.most_asked(name, most)]
    except (CacheUnavailableError, CacheRefusedError) as error:
        raise UnavailableError(f"The cache cannot be warmed, Redis does not answer: {error}") from error
    asked.sort(key=lambda pair: -pair[1])
    popular = dict.fromkeys(question.organization_id for question, _ in asked)
    known = reader.organizations()
    defaults = (
        reader.question(Asked(name, organization, visibilities))
        for organization in [*(o for o in popular if o in known), *(o for o in known if o not in popular)]
        for visibilities in _usual_visibilities(settings)
        for name in names
    )
    room = dict.fromkeys(names, most)
    chosen: dict[Question, None] = {}
    for question in (*(question for question, _ in asked), *defaults):
        if room[question.dashboard] and question not in chosen:
            room[question.dashboard] -= 1
            chosen[question] = None
    return list(chosen)


def _usual_visibilities(settings: Settings) -> Iterator[tuple[str, ...]]:
    """What readers ask for who want all that they may see: the sets of a role like any other, and of the widest one."""
    access = settings.insights.access
    sets = [visible(access, ()), visible(access, {*access.public_roles, *access.restricted_roles})]
    yield from (found for found in dict.fromkeys(sets) if found)


def _size(slowest: float, ends: float) -> int:
    """How many questions there is time for in one go, by what the slowest batch took for each that it computed."""
    if not slowest:
        return FIRST_BATCH
    return max(1, min(BATCH, int((ends - time.monotonic()) / slowest)))


def _warm_batch(reader: Reader, report: WarmReport, batch: Sequence[Question], ends: float) -> int:
    """Warm some questions; returns how many were asked of the warehouse."""
    missing = []
    for question in batch:
        answer = reader.read_back(question)
        if answer and not answer.is_stale:
            report.dashboards[question.dashboard].fresh += 1
            report.dashboards[question.dashboard].found += 1
        else:
            missing.append(question)
    entries = list(_computed(reader, report, missing, ends))
    for (question, _), refusal in zip(entries, reader.keep(entries), strict=True):
        warmed = report.dashboards[question.dashboard]
        if refusal:
            warmed.trouble = warmed.trouble or f"Redis did not keep it: {refusal}"
            continue
        warmed.kept += 1
        warmed.found += reader.read_back(question) is not None
    return len(missing)


def _computed(
    reader: Reader, report: WarmReport, questions: Sequence[Question], ends: float
) -> Iterator[tuple[Question, Entry]]:
    """The answers of the warehouse, in one go; one by one where one of them fails, so that the others are there."""
    try:
        entries: list[Entry | None] = list(reader.compute_all(questions)) if questions else []
    except InsightsError:
        entries = [_one(reader, report, question, ends) for question in questions]
    for question, entry in zip(questions, entries, strict=True):
        if entry:
            report.dashboards[question.dashboard].computed += 1
            yield question, entry


def _one(reader: Reader, report: WarmReport, question: Question, ends: float) -> Entry | None:
    warmed = report.dashboards[question.dashboard]
    if time.monotonic() >= ends:
        warmed.unreached += 1
        return None
    try:
        return reader.compute(question)
    except InsightsError as error:
        warmed.failed += 1
        warmed.trouble = warmed.trouble or str(error)
        return None
