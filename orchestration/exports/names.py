"""Checks file names and object keys of exports: plain names of safe characters, which cannot lead to another place."""

from __future__ import annotations

import re

from orchestration.errors import BadInputError

S3 = "s3://"
EXTENSIONS = ("csv", "csv.gz", "jsonl", "parquet", "xlsx")
MANIFEST = ".manifest.json"
LONGEST_NAME = 128  # characters of a file name or of one part of a key; a temporary name adds 53
MOST_PARTS = 6  # of a key

_SAFE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_RULE = (
    f"at most {LONGEST_NAME} of the letters A to Z and a to z, digits, dots, hyphens and underscores, beginning with a"
    " letter, a digit or an underscore"
)


def export_name(name: str, extension: str) -> str:
    """Return the file name with its extension; raises BadInputError for a path or other characters."""
    return _checked(_extended(name, extension), name, "a file name of an export is")


def object_key(url: str, bucket: str, extension: str) -> str:
    """Return the key in `s3://BUCKET/KEY` with its extension; raises BadInputError for any other bucket or key."""
    given, slash, key = url.removeprefix(S3).partition("/")
    if not slash or not key:
        raise BadInputError(f"{url!r} has no object key; it must be {S3}{bucket}/KEY.")
    if given != bucket:
        raise BadInputError(
            f"{url!r} is in the bucket {given!r}, but exports go to INSIGHTS_EXPORT_S3_BUCKET only: {S3}{bucket}/KEY."
        )
    parts = _extended(key, extension).split("/")
    if len(parts) > MOST_PARTS:
        raise BadInputError(f"{url!r} has {len(parts)} parts, separated by slashes; at most {MOST_PARTS} are allowed.")
    return "/".join(_checked(part, url, "each part of a key is") for part in parts)


def _extended(name: str, extension: str) -> str:
    """Return the name with the extension of its format, which is added if it is missing."""
    if name.lower().endswith(MANIFEST):
        raise BadInputError(f"{name!r} is not a valid name: names that end in {MANIFEST} are reserved for manifests.")
    known = [known for known in EXTENSIONS if name.lower().endswith(f".{known}")]
    if known and known != [extension]:
        raise BadInputError(f"{name!r} ends in .{known[0]}, but the format is {extension}; omit the extension.")
    return name if known else f"{name}.{extension}"


def _checked(name: str, given: str, what: str) -> str:
    if not _SAFE.fullmatch(name):
        raise BadInputError(f"{given!r} is not a valid name: {what} {_RULE}.")
    return name
