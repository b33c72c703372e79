"""An export into an object of the one bucket."""

from __future__ import annotations


class S3Sink:
    """TODO."""

    def __init__(self, bucket: str, key: str) -> None:
        """Begin."""
        raise NotImplementedError

    @property
    def location(self) -> str:
        """Where."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Append."""

    def commit(self, manifest: bytes) -> str:
        """Finish."""
        raise NotImplementedError

    def abort(self) -> None:
        """Leave nothing."""
