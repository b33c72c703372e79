"""The statuses of a delivery: those that review_deliveries and digest_deliveries in insights_ops take."""

from __future__ import annotations

from typing import Literal

Status = Literal["pending", "failed", "sent"]
PENDING: Status = "pending"
FAILED: Status = "failed"
SENT: Status = "sent"
STATUSES = (PENDING, FAILED, SENT)
