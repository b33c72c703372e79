"""Mistakes in the files of DAGs and profiles, in the form of `mistakes`."""

from __future__ import annotations

from support.config_project import DAGS, PROFILES

OTHER_MISTAKES = [
    (
        DAGS,
        'environment: "${INSIGHTS_ENV}"',
        "environment: dev",
        '{file}:{line}: metadata.environment is "dev": must equal INSIGHTS_ENV ("prod"',
    ),
    (
        PROFILES,
        'environment: "${INSIGHTS_ENV}"',
        "environment: dev",
        '{file}:{line}: metadata.environment is "dev": must',
    ),
    (
        DAGS,
        '"0 3 * * 1"',
        '"0 3 * * 8"',
        "{file}:{line}: etl_dags.weekly_pattern_review.schedule is \"0 3 * * 8\": '8' is not a valid day of week; it"
        " must be *, or numbers from 0 to 7",
    ),
    (
        DAGS,
        '["prod"]',
        '["prd"]',
        '{file}:{line}: etl_dags.yearly_systemic_review.enabled_environments.0 is "prd": must be one of dev, staging,'
        " prod, offline. Did you mean prod",
    ),
    (
        DAGS,
        "  weekly_pattern_review:",
        "  weekly_review:",
        "{file}:{line}: etl_dags.weekly_review: this key is unknown. Did you mean weekly_pattern_review? Known here: ",
    ),
    (
        DAGS,
        '"insights_yearly_systemic_review"',
        '"insights_monthly_trend_report"',
        "{file}:{line}: etl_dags.yearly_systemic_review.id is insights_monthly_trend_report: is already the id of"
        " monthly_trend_report",
    ),
    (
        PROFILES,
        "notification_scope: user",
        "notification_scope: everyone",
        "{file}:{line}: profiles.friend_group.notification_scope is everyone: must be one of user, team, department,",
    ),
    (
        PROFILES,
        "  hospital:\n",
        "  hospital: &h\n    <<: 3\n",
        "{file}:{line+1}: profiles.hospital.<<: must be a mapping",
    ),
]
