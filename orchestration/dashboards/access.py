"""Decides which roles may ask a question (specification, section 2.5), from the configuration and the question alone.

Neither the cache nor the warehouse is read, so that a refusal does not reveal whether restricted rows exist. The caller
is trusted to have authenticated the user; the roles are not verified here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orchestration.config.model import Access
from orchestration.config.tokens import Visibility
from orchestration.errors import RefusedError

EVERY_ROLE = "*"
# Visibilities whose rows the plain form may count. ANONYMISED rows count in the anonymised form only.
AS_THEY_ARE: tuple[Visibility, ...] = ("PUBLIC", "INTERNAL", "RESTRICTED")


class AccessRefusedError(RefusedError):
    """The roles of the client do not allow the question."""

    fixed_by = "client"


def checked_roles(roles: Iterable[str]) -> frozenset[str]:
    """Return the role codes as a set; raises AccessRefusedError for an empty set, a blank code or a wildcard."""
    found = frozenset([roles] if isinstance(roles, str) else roles)
    if not found:
        raise AccessRefusedError("At least one role is required.")
    for role in found:
        if not role.strip() or role == EVERY_ROLE:
            raise AccessRefusedError(f"{role!r} is not a role code; wildcards are allowed in the configuration only.")
    return found


def visible(access: Access, roles: Collection[str]) -> tuple[Visibility, ...]:
    """Return the visibilities that these roles may see in the plain form. Codes are compared exactly."""
    lists = {
        "PUBLIC": access.public_roles,
        "INTERNAL": access.internal_roles,
        "RESTRICTED": access.restricted_roles,
    }
    return tuple(v for v in AS_THEY_ARE if _is_among(roles, lists[v]))


def check_plain(access: Access, roles: frozenset[str], visibilities: Collection[Visibility]) -> None:
    """Raise AccessRefusedError unless the roles may see all these visibilities in the plain form."""
    allowed = visible(access, roles)
    if set(visibilities) <= set(allowed):
        return
    wanted = ", ".join(v for v in AS_THEY_ARE if v in visibilities)
    named = ", ".join(sorted(roles))
    if not allowed:
        raise AccessRefusedError(f"The question is about {wanted}, and the roles {named} may see none of these.")
    how = " ".join(f"--visibility {visibility}" for visibility in allowed)
    raise AccessRefusedError(
        f"The question is about {wanted}, but the roles {named} may see {', '.join(allowed)} only. Request only: {how}"
    )


def check_anonymised(access: Access, roles: frozenset[str]) -> None:
    """Raise AccessRefusedError unless the roles may see the anonymised form, which counts rows of every visibility."""
    if not sees_anonymised(access, roles):
        named = ", ".join(sorted(roles))
        raise AccessRefusedError(f"The roles {named} may not see the anonymised form (access.anonymised_roles).")


def sees_anonymised(access: Access, roles: Collection[str]) -> bool:
    """Return whether the roles may see the anonymised form."""
    return _is_among(roles, access.anonymised_roles)


def _is_among(roles: Collection[str], allowed: list[str]) -> bool:
    return EVERY_ROLE in allowed or any(role in allowed for role in roles)
