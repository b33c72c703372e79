"""Texts that are SQL, for the places where a request to a dashboard has a value."""

from __future__ import annotations

SQL = ["' or '1'='1", "'; drop table insights.fact_tasks; --", "%(visibilities)s", "{horizon}", "$1", "1) or (true"]
