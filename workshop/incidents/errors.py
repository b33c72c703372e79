"""What can go wrong with an import, as the person at the keyboard can mend it."""

from orchestration.errors import InsightsError


class IncidentFileError(InsightsError):
    """The file as a whole cannot be read as an incident log; nothing was written."""


class IncidentImportError(InsightsError):
    """The database does not take the import; nothing was written."""
