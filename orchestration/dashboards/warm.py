"""Fills the cache in advance, the most requested questions first (specification, sections 2.3 and 4.1).

A fresh answer is skipped, because it stays readable until the next warm-up. Each stored answer is read back by the key
that clients use, and the report has the share that was found.
"""

from __future__ import annotations

import time
from collections import Counter
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
from orchestration.progress import Progress

BATCH = 50  # maximum number of questions in one round trip
FIRST_BATCH = 5  # as long as their duration is unknown


@dataclass
class Warmed:
    """The outcome for one dashboard, in numbers of questions.

    `fresh` were skipped; `computed` were queried, and `kept` of these stored; `found` of fresh and kept were read back;
    `unreached` were left for lack of time. `trouble` is the first reason why an answer was not stored.
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
        """The hit share, 0 to 1, of the answers that should be in the cache; None if there are none."""
        wanted = self.fresh + self.computed + self.failed
        return self.found / wanted if wanted else None


@dataclass
class WarmReport:
    """The outcome of a warm-up by dashboard, and its duration in seconds."""

    dashboards: dict[str, Warmed] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether a client finds every answer that there was time for."""
        return all(warmed.share in (None, 1.0) for warmed in self.dashboards.values())


def warm(
    reader: Reader,
    settings: Settings,
    names: Sequence[str] = (),
    seconds: float | None = None,
    progress: Progress | None = None,
) -> WarmReport:
    """Compute and store answers of these dashboards, or of all, for at most `seconds` (default: `cache.warm_seconds`).

    Each dashboard gets at most `cache.max_keys_per_dashboard` questions; `progress` gets (done, all). Raises
    MisconfiguredError without a cache, UnavailableError if Redis does not respond, RefusedError in `offline` unless it
    is enabled, and InsightsError if the warehouse cannot list the organizations.
    """
    settings.check_offline("Warm-ups of the cache")
    started = time.monotonic()
    budget = settings.insights.cache.warm_seconds if seconds is None else seconds
    chosen = [name for name in reader.dashboards if not names or name in names]
    report = WarmReport({name: Warmed() for name in chosen})
    wanted = candidates(reader, settings, chosen)
    questions = iter(wanted)
    ends, slowest, done = started + budget, 0.0, 0
    while batch := list(islice(questions, _size(slowest, ends))):
        before = time.monotonic()
        if before >= ends:
            for question in (*batch, *questions):
                report.dashboards[question.dashboard].unreached += 1
            break
        if progress:
            progress(done, len(wanted))
        computed = _warm_batch(reader, report, batch, ends)
        done += len(batch)
        if computed:
            slowest = max(slowest, (time.monotonic() - before) / computed)
    report.seconds = time.monotonic() - started
    return report


def candidates(reader: Reader, settings: Settings, names: Sequence[str]) -> list[Question]:
    """Return the questions to warm: those requested since yesterday, the most requested first; then the usual ones.

    Organizations with requests come before the others; each has its share of the room. Raises like `warm`.
    """
    if reader.store is None:
        raise MisconfiguredError("There is no cache to warm: INSIGHTS_REDIS_URL is not set.")
    most = settings.insights.cache.max_keys_per_dashboard.of(settings.environment)
    try:
        requested = [pair for name in names for pair in reader.most_requested(name, most)]
    except (CacheUnavailableError, CacheRefusedError) as error:
        raise UnavailableError(f"The cache cannot be warmed, because Redis does not respond: {error}") from error
    requested.sort(key=lambda pair: -pair[1])
    popular = dict.fromkeys(question.organization_id for question, _ in requested)
    known = reader.organizations()
    defaults = (
        reader.question(Asked(name, organization, visibilities))
        for organization in [*(o for o in popular if o in known), *(o for o in known if o not in popular)]
        for visibilities in _usual_visibilities(settings)
        for name in names
    )
    wanted = list(dict.fromkeys((*(question for question, _ in requested), *defaults)))
    room = {name: _shares([q for q in wanted if q.dashboard == name], most) for name in names}
    chosen = []
    for question in wanted:
        shares = room[question.dashboard]
        if shares[question.organization_id]:
            shares[question.organization_id] -= 1
            chosen.append(question)
    return chosen


def _shares(questions: Sequence[Question], most: int) -> Counter[str]:
    """Return how many questions each organization may have: as many as any other, or all if it has fewer (D156).

    What cannot be divided goes to the organizations that come first.
    """
    counts = Counter(question.organization_id for question in questions)
    share, room = 0, most
    for place, count in enumerate(sorted(counts.values())):
        share = room // (len(counts) - place)
        if count > share:
            room -= share * (len(counts) - place)
            break
        room -= count
    shares = Counter({organization: min(count, share) for organization, count in counts.items()})
    larger = [organization for organization, count in counts.items() if count > share]
    shares.update(larger[:room])
    return shares


def _usual_visibilities(settings: Settings) -> Iterator[tuple[str, ...]]:
    """Yield the visibilities that clients request by default: those of an ordinary role, and of the widest one."""
    access = settings.insights.access
    sets = [visible(access, ()), visible(access, {*access.public_roles, *access.restricted_roles})]
    yield from (found for found in dict.fromkeys(sets) if found)


def _size(slowest: float, ends: float) -> int:
    """Return the size of the next batch for the remaining time, given the slowest seconds per computed question."""
    if not slowest:
        return FIRST_BATCH
    return max(1, min(BATCH, int((ends - time.monotonic()) / slowest)))


def _warm_batch(reader: Reader, report: WarmReport, batch: Sequence[Question], ends: float) -> int:
    """Warm some questions; returns how many were queried in the warehouse."""
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
            warmed.trouble = warmed.trouble or f"Redis did not store the answer: {refusal}"
            continue
        warmed.kept += 1
        warmed.found += reader.read_back(question) is not None
    return len(missing)


def _computed(
    reader: Reader, report: WarmReport, questions: Sequence[Question], ends: float
) -> Iterator[tuple[Question, Entry]]:
    """Yield the answers of the warehouse; after an error, each question is queried alone."""
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
