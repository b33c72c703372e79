"""Errors of an import that the person who runs it can fix."""

from orchestration.errors import InsightsError


class IncidentFileError(InsightsError):
    """The file is not a readable incident log; nothing was written."""


class IncidentImportError(InsightsError):
    """The database or the report file prevents the import; nothing was written."""
