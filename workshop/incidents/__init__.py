"""The offline import of a ServiceNow incident audit log into an operational Orgo database."""

from workshop.incidents.importer import ImportResult, import_incidents

__all__ = ["ImportResult", "import_incidents"]
