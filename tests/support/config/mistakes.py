"""Mistakes in configuration files, each with the line and the message that reports it."""

from __future__ import annotations

from support.config.dag_and_profile_mistakes import OTHER_MISTAKES
from support.config_project import CONFIG

# file, what is replaced, by what, and what is said: the line is that of the replaced text, moved down by {+n}.
MISTAKES = [
    (
        CONFIG,
        "    concurrency: 4",
        "    concurency: 4",
        "{file}:{line}: insights.etl.concurency: this key is unknown. Did you mean concurrency? Known here:"
        " owner_email, default_batch_size, max_batch_size, concurrency, extra_connections, queue, swap_attempts,"
        " overlap_hours, source_stale_hours, source_stopped_hours, source_hours, late_after_minutes,"
        " max_vanished_share, min_vanished_rows, max_share_behind_cutoff",
    ),
    (
        CONFIG,
        "  source:\n",
        "  sauce: 1\n  source:\n",
        "{file}:{line}: insights.sauce: this key is unknown. Did you mean",
    ),
    (CONFIG, "  offline:\n    enabled: false\n", "", None),
    (
        CONFIG,
        "  offline:\n    enabled: false\n",
        "  offline: 3\n",
        "{file}:{line}: insights.offline is 3: must be a mapping",
    ),
    (
        CONFIG,
        "    concurrency: 4\n",
        "",
        "{file}:35: insights.etl.concurrency: this key is missing; add it: Number of dbt threads.",
    ),
    (
        CONFIG,
        "concurrency: 4",
        'concurrency: "4"',
        '{file}:{line}: insights.etl.concurrency is "4": must be a whole number, without quotes',
    ),
    (CONFIG, "concurrency: 4", "concurrency: four", "{file}:{line}: insights.etl.concurrency is four: must be a whole"),
    (CONFIG, "concurrency: 4", "concurrency:", "{file}:{line}: insights.etl.concurrency is null: must be a whole"),
    (
        CONFIG,
        "concurrency: 4",
        "concurrency: 0",
        "{file}:{line}: insights.etl.concurrency is 0: must be greater than 0",
    ),
    (CONFIG, "concurrency: 4", "concurrency: true", "{file}:{line}: insights.etl.concurrency is true: must be a whole"),
    (CONFIG, "concurrency: 4", "concurrency: 4.5", "{file}:{line}: insights.etl.concurrency is 4.5: must be a whole"),
    (CONFIG, "concurrency: 4", "concurrency: [4]", "{file}:{line}: insights.etl.concurrency is [4]: must be a whole"),
    (
        CONFIG,
        "window_days: 28",
        "window_days: 36501",
        "{file}:{line}: insights.patterns.weekly.window_days is 36501: must be at most 36500",
    ),
    (
        CONFIG,
        "backoff_seconds: 1",
        "backoff_seconds: .inf",
        "{file}:{line}: insights.reviews.backoff_seconds is .inf: must be at most 86400",
    ),
    (CONFIG, "schema: public", "schema: Public", "{file}:{line}: insights.source.schema is Public: must match ^[a-z_]"),
    (CONFIG, "data-team@example.org", "data-team", "{file}:{line}: insights.etl.owner_email is data-team: must match"),
    (
        CONFIG,
        "[PUBLIC, INTERNAL]",
        "[PUBLIC, INTERNALS]",
        "{file}:{line}: insights.exports.allowed_visibilities.1 is INTERNALS: must be one of PUBLIC, INTERNAL,"
        " RESTRICTED, ANONYMISED. Did you mean INTERNAL",
    ),
    (
        CONFIG,
        "[PUBLIC, INTERNAL]",
        "PUBLIC",
        "{file}:{line}: insights.exports.allowed_visibilities is PUBLIC: must be a",
    ),
    (
        CONFIG,
        "backend: redis",
        "backend: memcached",
        "{file}:{line}: insights.cache.backend is memcached: must be one of",
    ),
    (
        CONFIG,
        "type: postgres",
        "type: bigquery",
        "{file}:{line}: insights.warehouse.type is bigquery: the specification allows this value, but this",
    ),
    (
        CONFIG,
        "{ dev: 100, staging: 1000, prod: 5000 }",
        "{ dev: 100, staging: 1000 }",
        "{file}:{line}: insights.cache.max_keys_per_dashboard.prod: this key is missing",
    ),
    (
        CONFIG,
        "{ dev: 100, staging: 1000, prod: 5000 }",
        "{ dev: 100, staging: 1000, production: 5000 }",
        "{file}:{line}: insights.cache.max_keys_per_dashboard.production: this key is unknown. Did you mean prod?",
    ),
    (
        CONFIG,
        "min_group_size: 5",
        "min_group_size: 1",
        "{file}:{line}: insights.exports.min_group_size is 1: must be at least 2",
    ),
    (
        CONFIG,
        "{ dev: 100, staging: 1000, prod: 5000 }",
        "{ dev: 100, staging: 1000, prod: -1 }",
        "{file}:{line}: insights.cache.max_keys_per_dashboard.prod is -1: must be greater than 0",
    ),
    (
        CONFIG,
        "streaming_like: 30",
        "streaming_like: x",
        "{file}:{line}: insights.cache.ttl_seconds.streaming_like is x",
    ),
    (
        CONFIG,
        'last_updated: "2026-11-24"',
        "last_updated: 2026-11-24",
        "{file}:{line}: metadata.last_updated is 2026-11-24: must be a text, and YAML takes it for a date; put it in"
        ' quotes: "2026-11-24"',
    ),
    (
        CONFIG,
        'last_updated: "2026-11-24"',
        'last_updated: "2026-02-30"',
        '{file}:{line}: metadata.last_updated is "2026-02-30": must be a date such as "2026-01-31"',
    ),
    (
        CONFIG,
        'version: "3.0"',
        "version: 3.0",
        "{file}:{line}: metadata.version is 3.0: must be a text, and YAML takes it for a number; put it in quotes",
    ),
    (CONFIG, 'version: "3.0"', 'version: "4.0"', '{file}:{line}: metadata.version is "4.0": must match ^3'),
    (
        CONFIG,
        "default_profile_key: default",
        "default_profile_key: no",
        "{file}:{line}: insights.patterns.default_profile_key is no: YAML takes this for false; write false, or a text",
    ),
    (
        CONFIG,
        "default_profile_key: default",
        "default_profile_key: 7",
        "{file}:{line}: insights.patterns.default_profile_key is 7: must be a text, and YAML takes it for a number",
    ),
    (
        CONFIG,
        "pii_masking_enabled: true",
        "pii_masking_enabled: yes",
        "{file}:{line}: insights.exports.pii_masking_enabled is yes: YAML takes this for true; write true, or a text",
    ),
    (
        CONFIG,
        "pii_masking_enabled: true",
        'pii_masking_enabled: "true"',
        '{file}:{line}: insights.exports.pii_masking_enabled is "true": must be true or false, without quotes',
    ),
    (
        CONFIG,
        "overlap_hours: 6",
        "overlap_hours: 010",
        "{file}:{line}: insights.etl.overlap_hours is 010: YAML takes this for 8; write a number in decimal",
    ),
    (
        CONFIG,
        "overlap_hours: 6",
        "overlap_hours: 1:30",
        "{file}:{line}: insights.etl.overlap_hours is 1:30: YAML takes this for 90; write a number in decimal",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        "no: hospital",
        "{file}:{line}: insights.patterns.overrides_by_domain.no: YAML takes this key for a boolean; put it in quotes",
    ),
    (
        CONFIG,
        "default_profile_key: default",
        "default_profile_key: hospitl",
        '{file}:{line}: insights.patterns.default_profile_key is "hospitl": there is no such profile. Did you mean'
        " hospital? The profiles file has: default, friend_group, hospital,",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        "maintenance: clinic",
        '{file}:{line}: insights.patterns.overrides_by_domain.maintenance is "clinic": there is no such profile.',
    ),
    (
        CONFIG,
        "maintenance: hospital",
        '"*": hospital',
        "{file}:{line}: insights.patterns.overrides_by_domain.*: stands for all domains without an override; set"
        " patterns.default_profile_key instead",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        '" maintenance": hospital',
        "{file}:{line}: insights.patterns.overrides_by_domain. maintenance: a domain must not be empty, nor begin or"
        " end with a space",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        '"": hospital',
        "{file}:{line}: insights.patterns.overrides_by_domain.: a domain must not be empty",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        r'"main\x1b[2Jtenance": hospital',
        "{file}:{line}: insights.patterns.overrides_by_domain.main\x1b[2Jtenance: a domain must not have line ends,",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        f'"{"m" * 256}": hospital',
        f"{{file}}:{{line}}: insights.patterns.overrides_by_domain.{'m' * 256}: a domain must have at most 255"
        " characters",
    ),
    (CONFIG, "maintenance: hospital", "customer's {{ x }}: hospital", None),
    (
        CONFIG,
        "default_batch_size: 1000",
        "default_batch_size: 10001",
        "{file}:{line}: insights.etl.default_batch_size is 10001: must be at most etl.max_batch_size (10000)",
    ),
    (
        CONFIG,
        "read_only_user: orgo_insights_ro",
        "read_only_user: orgo_insights_etl",
        "{file}:{line}: insights.warehouse.read_only_user is orgo_insights_etl: must differ from warehouse.write_user",
    ),
    (
        CONFIG,
        "export_user: orgo_insights_export",
        "export_user: orgo_insights_etl",
        "{file}:{line}: insights.warehouse.export_user is orgo_insights_etl: must differ from warehouse.write_user",
    ),
    (
        CONFIG,
        "export_user: orgo_insights_export",
        "export_user: orgo_insights_ro",
        "{file}:{line}: insights.warehouse.export_user is orgo_insights_ro: must differ from warehouse.read_only_user",
    ),
    (
        CONFIG,
        "schema: public",
        "schema: insights",
        "{file}:17: insights.warehouse.schema is insights: must differ from source.schema",
    ),
    (
        CONFIG,
        "schema: insights",
        f"schema: {'i' * 54}",
        f"{{file}}:{{line}}: insights.warehouse.schema is {'i' * 54}: must have at most 53 characters",
    ),
    (
        CONFIG,
        "restricted_roles: []",
        "restricted_roles: [coordinator]\n    # more",
        None,
    ),
    (
        CONFIG,
        'internal_roles: ["*"]\n    restricted_roles: []',
        "internal_roles: [viewer]\n    restricted_roles: [viewer, coordinator]",
        '{file}:{line+1}: insights.access.restricted_roles.1 is "coordinator": must also be in access.internal_roles',
    ),
    (
        CONFIG,
        "concurrency: 4",
        "concurrency: ${THREADS}",
        '{file}:{line}: insights.etl.concurrency is "${{THREADS}}": the environment variable THREADS is not set;'
        " export THREADS=... or write the value here",
    ),
    (CONFIG, "concurrency: 4", "concurrency: ${no name}", "{file}:{line}: insights.etl.concurrency is"),
    (
        CONFIG,
        'environment: "${INSIGHTS_ENV}"\n\n  w',
        "environment: staging\n\n  w",
        "{file}:{line}: insights.environment",
    ),
    *OTHER_MISTAKES,
]
