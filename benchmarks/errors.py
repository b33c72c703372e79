"""The error of a benchmark."""

from click import ClickException


class BenchmarkError(ClickException):
    """The work or the floor of a benchmark failed, or their results differ; the message says which."""
