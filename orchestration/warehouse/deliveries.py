"""The statuses of a delivery: those that insights_ops.review_deliveries takes."""

from __future__ import annotations

from typing import Literal

Status = Literal["pending", "failed", "sent"]
PENDING: Status = "pending"
FAILED: Status = "failed"
SENT: Status = "sent"
STATUSES = (PENDING, FAILED, SENT)
