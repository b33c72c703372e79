"""The error of an incident log; errors of the database are those of orchestration.errors."""

from orchestration.errors import BadInputError


class IncidentFileError(BadInputError):
    """The file is not a readable incident log; nothing was written."""
