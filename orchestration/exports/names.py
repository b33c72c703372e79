"""Which names an export may have: plain ones of safe characters, without anything that could lead elsewhere."""

from __future__ import annotations

import re

from orchestration.errors import BadInputError

S3 = "s3://"
EXTENSIONS = ("csv", "csv.gz", "jsonl")
MANIFEST = ".manifest.json"
LONGEST_NAME = 128  # characters of a file's name or of one part of a key; a temporary name has 53 more
MOST_PARTS = 6  # of a key

_SAFE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_RULE = (
    f"at most {LONGEST_NAME} of the letters A to Z and a to z, digits, dots, hyphens and underscores, beginning with a"
    " letter, a digit or an underscore"
)


def export_name(name: str, extension: str) -> str:
    """The file's name, with its extension; raises BadInputError for a path, and for any name of other characters."""
    return _checked(_extended(name, extension), name, "a file name of an export is")


def object_key(url: str, bucket: str, extension: str) -> str:
    """The key in `s3://BUCKET/KEY`, with its extension; raises BadInputError for another bucket and for other keys."""
    said, slash, key = url.removeprefix(S3).partition("/")
    if not slash or not key:
        raise BadInputError(f"{url!r} names no object; write {S3}BUCKET/KEY, here {S3}{bucket}/KEY.")
    if said != bucket:
        raise BadInputError(
            f"{url!r} is in the bucket {said!r}, and exports go to INSIGHTS_EXPORT_S3_BUCKET alone: {S3}{bucket}/KEY."
        )
    parts = _extended(key, extension).split("/")
    if len(parts) > MOST_PARTS:
        raise BadInputError(f"{url!r} has {len(parts)} parts, separated by slashes; {MOST_PARTS} are the most.")
    return "/".join(_checked(part, url, "each part of a key is") for part in parts)


def _extended(name: str, extension: str) -> str:
    """The name with the extension of its format, which is added unless it is there."""
    if name.lower().endswith(MANIFEST):
        raise BadInputError(f"{name!r} is no name for an export: what ends in {MANIFEST} belongs to an export.")
    known = [known for known in EXTENSIONS if name.lower().endswith(f".{known}")]
    if known and known != [extension]:
        raise BadInputError(f"{name!r} ends in .{known[0]}, and the format is {extension}; leave the ending out.")
    return name if known else f"{name}.{extension}"


def _checked(name: str, given: str, what: str) -> str:
    if not _SAFE.fullmatch(name):
        raise BadInputError(f"{given!r} is no name for an export: {what} {_RULE}.")
    return name
