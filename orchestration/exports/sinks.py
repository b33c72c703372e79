"""Where an export goes: a file below the one folder for exports, or an object in the one bucket."""

from __future__ import annotations

from typing import Protocol

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.exports.files import FileSink
from orchestration.exports.names import S3, export_name, object_key


class Sink(Protocol):
    """An export on its way: nothing of it is under its final name before `commit`."""

    @property
    def location(self) -> str:
        """Where the data will be: a path, or `s3://BUCKET/KEY`; the manifest is there too, `.manifest.json` added."""

    def write(self, data: bytes) -> None:
        """Append to the data; raises InsightsError, for a full disk or a failing service, and then call `abort`."""

    def commit(self, manifest: bytes) -> str:
        """Put data and manifest under their final names, both or neither, and return `location`.

        A manifest under its final name means that the data beside it is whole. Raises InsightsError, also when the
        name was taken meanwhile, and then nothing is left.
        """

    def abort(self) -> None:
        """Leave nothing; may be called at any time and twice. After a successful `commit` it does nothing."""


def open_sink(settings: Settings, output: str, extension: str) -> Sink:
    """Begin an export to `output`, in the format `extension` (one of `names.EXTENSIONS`).

    `output` is a plain file name, for a file below `insights.exports.directory`, or `s3://BUCKET/KEY`, where BUCKET
    is INSIGHTS_EXPORT_S3_BUCKET's. A name without the extension gets it. Raises InsightsError for any other name, for
    one that is taken, and when folder or bucket cannot be used.
    """
    if output.startswith(S3):
        bucket = settings.export_bucket
        return _s3_sink(bucket, object_key(output, bucket, extension))
    return FileSink(settings.export_directory, export_name(output, extension))


def _s3_sink(bucket: str, key: str) -> Sink:
    """The sink in a bucket; only who exports to one needs boto3."""
    try:
        from orchestration.exports.s3 import S3Sink  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"Exports to object storage need {error.name}, which is not installed: pip install -r requirements/s3.txt"
            " (the dependency group s3)."
        ) from error
    return S3Sink(bucket, key)
