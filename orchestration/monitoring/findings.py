"""What `insights doctor` finds: one line for each thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "attention", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is in order, what it is like, and what to do if it is not."""

    check: str
    state: State
    says: str
    remedy: str = ""


def judged(check: str, is_right: bool, says: str, remedy: str, otherwise: State = "attention") -> Finding:
    """Return a finding that is in order, or else has a remedy."""
    return Finding(check, "ok", says) if is_right else Finding(check, otherwise, says, remedy)
