"""An export into an object of the one bucket, with its manifest beside it.

The data is made an object first, then the manifest: a manifest means that the data is whole. A run that is killed
leaves at most parts of an upload, which no reader sees and a lifecycle rule of the bucket removes, or, between the two,
data without a manifest.
"""

from __future__ import annotations

from orchestration.errors import BadInputError, InsightsError
from orchestration.exports.bucket import Bucket
from orchestration.exports.names import MANIFEST

PART = 8 << 20  # bytes; one part is gathered or sent at a time, so an export takes the memory of little more than one
MOST_PARTS = 10_000  # that S3 takes
TYPES = {"csv": "text/csv; charset=utf-8", "gz": "application/gzip", "jsonl": "application/x-ndjson"}


class S3Sink:
    """An object that is sent in parts, or at once where there is less than one; it never replaces one."""

    def __init__(self, bucket: str, key: str) -> None:
        """Begin an object, whose key names.object_key let pass; raises InsightsError when the key is taken."""
        self._bucket = Bucket(bucket)
        self._key = key
        self._type = TYPES[key.rpartition(".")[2].lower()]
        self._part = bytearray()
        self._tags: list[str] = []
        self._upload: str | None = None
        self._tried: list[str] = []  # the keys that this sink may have made objects of
        for taken in (key, key + MANIFEST):
            if self._bucket.has(taken):
                raise self._bucket.exists(taken)

    @property
    def location(self) -> str:
        """The object's URL."""
        return f"s3://{self._bucket.name}/{self._key}"

    def write(self, data: bytes) -> None:
        """Append, and send each part that is full; raises InsightsError when the service fails or refuses."""
        rest = memoryview(data)
        while rest:
            room = PART - len(self._part)
            self._part += rest[:room]
            rest = rest[room:]
            if len(self._part) == PART:
                self._send()

    def commit(self, manifest: bytes) -> str:
        """Make the objects of data and manifest; raises InsightsError, which says when something may be left."""
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
                raise error.extended(f"Look for what may be left: {', '.join(left)}.") from None
            raise
        except BaseException:
            self._remove()
            raise
        self._forget()
        return self.location

    def abort(self) -> None:
        """Remove what this sink made; nothing after a `commit`. What a failing service keeps is parts, no object."""
        self._remove()

    def _send(self) -> None:
        if len(self._tags) == MOST_PARTS:
            raise BadInputError(f"An export to object storage has at most {MOST_PARTS * PART} bytes; export less.")
        self._upload = self._upload or self._bucket.begin(self._key, self._type)
        self._tags.append(self._bucket.upload(self._key, self._upload, len(self._tags) + 1, self._part))
        self._part = bytearray()

    def _remove(self) -> list[str]:
        """Remove the manifest, the parts and the data, and return what could not be removed."""
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
