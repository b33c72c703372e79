"""The repository of pgBackRest: a folder or a bucket, as options of pgbackrest.conf."""

from __future__ import annotations

import re
from pathlib import Path

from orchestration.config.secrets.by_file import Variables
from orchestration.config.settings import Settings
from orchestration.config.variables import BACKUP_REPOSITORY, BACKUP_S3_KEY, BACKUP_S3_SECRET
from orchestration.errors import MisconfiguredError

_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[A-Za-z0-9._/-]*)?")
_PLACE = re.compile(r"/[^\s'\"$%]*")
_SECRET = re.compile(r"[!-~]+")  # one line without blanks, as pgbackrest.conf keeps it


def repository_options(settings: Settings, data: Path) -> dict[str, str]:
    """Return the options of the repository, with its secrets.

    `data` is the folder of the server, which may not hold its own backups. Raises MisconfiguredError for what is
    missing or wrong.
    """
    rules, place = settings.insights.backups, settings.backup_repository
    if place is None:
        raise MisconfiguredError(
            f"insights.backups.repository is not set: set {BACKUP_REPOSITORY} to an absolute path on another disk or"
            " machine, such as /srv/backups/insights, or to s3://bucket/path."
        )
    options = _bucket(settings, place) if place.startswith("s3://") else _folder(place, data)
    options |= {"retention-full-type": "time", "retention-full": str(rules.keep_days)}
    if key := settings.backup_key:
        options |= {"cipher-type": "aes-256-cbc", "cipher-pass": _one_line("INSIGHTS_BACKUP_KEY", key)}
    return {f"repo1-{name}": value for name, value in options.items()}


def _folder(place: str, data: Path) -> dict[str, str]:
    if not _PLACE.fullmatch(place) or ".." in Path(place).parts:
        raise MisconfiguredError(
            f"{BACKUP_REPOSITORY} is {place!r}: must be an absolute path without blanks, quotes, $, % and .., such as"
            " /srv/backups/insights, or s3://bucket/path."
        )
    if Path(place).resolve().is_relative_to(data.resolve()):
        raise MisconfiguredError(
            f"{BACKUP_REPOSITORY} is {place!r}: must not be in the data folder {data}, with which it would be lost."
        )
    return {"type": "posix", "path": place}


def _bucket(settings: Settings, place: str) -> dict[str, str]:
    found, rules = _S3.fullmatch(place), settings.insights.backups
    if not found:
        raise MisconfiguredError(
            f"{BACKUP_REPOSITORY} is {place!r}: must be s3://bucket or s3://bucket/path, with a bucket of 3 to 63"
            " lowercase letters, digits, dots and hyphens."
        )
    variables = Variables()
    lacking = [name for name in (BACKUP_S3_KEY, BACKUP_S3_SECRET) if not variables.get(name)]
    if lacking:
        raise MisconfiguredError(f"{place} needs the access key of the bucket: set {' and '.join(lacking)}.")
    host, _, port = rules.s3_endpoint.partition(":")
    options = {
        "type": "s3",
        "path": found[2] or "/",
        "s3-bucket": found[1],
        "s3-endpoint": host,
        "s3-region": rules.s3_region,
        "s3-uri-style": "host" if host.endswith("amazonaws.com") else "path",
        "s3-key": _one_line(BACKUP_S3_KEY, variables[BACKUP_S3_KEY]),
        "s3-key-secret": _one_line(BACKUP_S3_SECRET, variables[BACKUP_S3_SECRET]),
    }
    if port:
        options["storage-port"] = port
    if rules.s3_ca_file:
        options["storage-ca-file"] = rules.s3_ca_file
    return options


def _one_line(name: str, secret: str) -> str:
    if not _SECRET.fullmatch(secret):
        raise MisconfiguredError(f"{name} must have only printable ASCII characters and no blanks.")
    return secret
