"""Exports to an object in the export bucket, with a manifest next to it.

The data is published first, then the manifest, so that a manifest proves that the data is complete. A killed run leaves
at most parts of an upload, which are invisible and which a lifecycle rule of the bucket removes, or, if it is killed in
between, data without a manifest.
"""

from __future__ import annotations

from orchestration.errors import BadInputError, InsightsError
from orchestration.exports.bucket import Bucket
from orchestration.exports.names import MANIFEST

PART = 8 << 20  # bytes; one part is in memory at a time
MOST_PARTS = 10_000  # limit of S3
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "gz": "application/gzip",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class S3Sink:
    """A sink for an object, uploaded in parts or, if it is smaller than one, at once; it never replaces an object."""

    def __init__(self, bucket: str, key: str) -> None:
        """Start an object; `key` must come from names.object_key. Raises ConflictError if the key is taken."""
        self._bucket = Bucket(bucket)
        self._key = key
        self._type = TYPES[key.rpartition(".")[2].lower()]
        self._part = bytearray()
        self._tags: list[str] = []
        self._upload: str | None = None
        self._tried: list[str] = []  # the keys of objects that this sink may have created
        for taken in (key, key + MANIFEST):
            if self._bucket.has(taken):
                raise self._bucket.exists(taken)

    @property
    def location(self) -> str:
        """The URL of the object."""
        return f"s3://{self._bucket.name}/{self._key}"

    def write(self, data: bytes) -> None:
        """Append, and upload each full part; raises InsightsError if the service fails or refuses."""
        rest = memoryview(data)
        while rest:
            room = PART - len(self._part)
            self._part += rest[:room]
            rest = rest[room:]
            if len(self._part) == PART:
                self._send()

    def commit(self, manifest: bytes) -> str:
        """Publish data and manifest and return the URL; an InsightsError names what could not be removed."""
        try:
            self._tried.append(self._key)
            if self._upload is None:
                self._bucket.create(self._key, self._part, self._type)
            else:
                if self._part:
                    self._send()
                self._bucket.complete(self._key, self._upload, self._tags)
            self._tried.append(self._key + MANIFEST)
            self._bucket.create(self._key + MANIFEST, manifest, "application/json")
        except InsightsError as error:
            if left := self._remove():
                raise error.extended(f"Could not be removed: {', '.join(left)}.") from None
            raise
        except BaseException:
            self._remove()
            raise
        self._forget()
        return self.location

    def abort(self) -> None:
        """Remove all objects of this sink; does nothing after `commit`. A failing service keeps at most parts."""
        self._remove()

    def _send(self) -> None:
        if len(self._tags) == MOST_PARTS:
            raise BadInputError(
                f"An export to object storage must have at most {MOST_PARTS * PART} bytes; request a shorter range."
            )
        self._upload = self._upload or self._bucket.begin(self._key, self._type)
        self._tags.append(self._bucket.upload(self._key, self._upload, len(self._tags) + 1, self._part))
        self._part = bytearray()

    def _remove(self) -> list[str]:
        """Remove manifest, parts and data; returns what could not be removed."""
        left = []
        if self._upload is not None:
            try:
                self._bucket.give_up(self._key, self._upload)
            except InsightsError:
                left.append(f"an unfinished upload of {self.location}")
        for key in reversed(self._tried):
            try:
                self._bucket.remove(key)
            except InsightsError:
                left.append(f"s3://{self._bucket.name}/{key}")
        self._forget()
        return left

    def _forget(self) -> None:
        self._upload = None
        self._tried.clear()
        self._part = bytearray()
