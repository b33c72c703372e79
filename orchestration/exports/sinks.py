"""The destinations of an export: a file in the export folder, or an object in the export bucket."""

from __future__ import annotations

from typing import Protocol

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.exports.files import FileSink
from orchestration.exports.names import S3, export_name, object_key


class Sink(Protocol):
    """The destination of one export; nothing has its final name before `commit`."""

    @property
    def location(self) -> str:
        """Where the data will be: a path or `s3://BUCKET/KEY`; the manifest has `.manifest.json` appended."""

    def write(self, data: bytes) -> None:
        """Append to the data; raises InsightsError for a full disk or a failing service. Call `abort` then."""

    def commit(self, manifest: bytes) -> str:
        """Publish data and manifest under their final names, both or neither, and return `location`.

        A manifest under its final name proves that its data is complete. Raises InsightsError, also if the name has
        been taken in the meantime; nothing is left then.
        """

    def abort(self) -> None:
        """Remove everything; may be called at any time and repeatedly. Does nothing after a successful `commit`."""


def open_sink(settings: Settings, output: str, extension: str) -> Sink:
    """Start an export to `output`, in the format `extension` (one of `names.EXTENSIONS`).

    `output` is a plain file name, for a file in `insights.exports.directory`, or `s3://BUCKET/KEY`, where BUCKET must
    be INSIGHTS_EXPORT_S3_BUCKET. The extension is added if it is missing. Raises BadInputError for any other name,
    ConflictError for one that is taken, and MisconfiguredError or another InsightsError if folder or bucket cannot be
    used.
    """
    if output.startswith(S3):
        bucket = settings.export_bucket
        return _s3_sink(bucket, object_key(output, bucket, extension))
    return FileSink(settings.export_directory, export_name(output, extension))


def _s3_sink(bucket: str, key: str) -> Sink:
    """Return the sink for a bucket; boto3 is imported here, because it is needed for nothing else."""
    try:
        from orchestration.exports.s3 import S3Sink  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"Exports to object storage need {error.name}, which is not installed: pip install -r requirements/s3.txt"
            " (the dependency group s3)."
        ) from error
    return S3Sink(bucket, key)
