"""Who may ask what (specification, section 2.5). Decided from the configuration and the question alone.

Neither the cache nor the warehouse is looked at: whether there are strict rows is no part of the decision, so a refusal
tells nothing about them. The roles are what a trusted caller says of its user; nobody proves them here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orchestration.config.model import Access
from orchestration.config.tokens import Visibility
from orchestration.errors import RefusedError

EVERY_ROLE = "*"
# What rows may be shown as they are. ANONYMISED ones never are: they count in the anonymised form only.
AS_THEY_ARE: tuple[Visibility, ...] = ("PUBLIC", "INTERNAL", "RESTRICTED")


class AccessRefusedError(RefusedError):
    """These roles may not ask that."""

    fixed_by = "client"


def checked_roles(roles: Iterable[str]) -> frozenset[str]:
    """The codes, as they are; raises AccessRefusedError without any, or for what is no code of a role."""
    found = frozenset([roles] if isinstance(roles, str) else roles)
    if not found:
        raise AccessRefusedError("Whoever asks must have at least one role.")
    for role in found:
        if not role.strip() or role == EVERY_ROLE:
            raise AccessRefusedError(f"{role!r} is not the code of a role; the configuration alone has wildcards.")
    return found


def visible(access: Access, roles: Collection[str]) -> tuple[Visibility, ...]:
    """The visibilities whose rows these roles may see as they are. Codes are compared exactly."""
    lists = {
        "PUBLIC": access.public_roles,
        "INTERNAL": access.internal_roles,
        "RESTRICTED": access.restricted_roles,
    }
    return tuple(v for v in AS_THEY_ARE if _is_among(roles, lists[v]))


def check_plain(access: Access, roles: frozenset[str], visibilities: Collection[Visibility]) -> None:
    """Raise AccessRefusedError unless the roles may see rows of all these visibilities as they are."""
    allowed = visible(access, roles)
    if set(visibilities) <= set(allowed):
        return
    asked = ", ".join(v for v in AS_THEY_ARE if v in visibilities)
    named = ", ".join(sorted(roles))
    if not allowed:
        raise AccessRefusedError(f"This asks for {asked}, and the roles {named} may see none of it.")
    how = " ".join(f"--visibility {visibility}" for visibility in allowed)
    raise AccessRefusedError(
        f"This asks for {asked}, and the roles {named} may see {', '.join(allowed)}. Ask for these alone: {how}"
    )


def check_anonymised(access: Access, roles: frozenset[str]) -> None:
    """Raise AccessRefusedError unless the roles may see anonymised forms, which count rows of every visibility."""
    if not _is_among(roles, access.anonymised_roles):
        named = ", ".join(sorted(roles))
        raise AccessRefusedError(f"This asks for the anonymised form, which the roles {named} may not see.")


def _is_among(roles: Collection[str], allowed: list[str]) -> bool:
    return EVERY_ROLE in allowed or any(role in allowed for role in roles)
