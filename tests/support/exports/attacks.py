"""What attempts on exports have in common."""

from __future__ import annotations

VISIBLE = ("PUBLIC", "INTERNAL")


STRICT = ("RESTRICTED", "ANONYMISED")


AUDIT = "insights_ops.export_audit"
