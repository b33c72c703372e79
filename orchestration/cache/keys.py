"""Redis keys: one prefix for each environment and group (a dashboard).

The group is in braces, so that a Redis Cluster puts all keys of a group into one slot, which the scripts require.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Entries that are bounded and invalidated together: an environment and a name."""

    environment: str
    name: str

    @property
    def index(self) -> str:
        """Key of the names of the entries, scored by their last request (milliseconds since 1970)."""
        return self.key("index")

    @property
    def load(self) -> str:
        """Key of the newest load that an entry was computed from."""
        return self.key("load")

    @property
    def counters(self) -> str:
        """Key of the counters of the whole environment, one field for each group and outcome."""
        return f"insights:{self.environment}:counters"

    def asks(self, day: str) -> str:
        """Key of the number of requests for each question on a day (YYYY-MM-DD, UTC)."""
        return self.key(f"asks:{day}")

    def key(self, what: str) -> str:
        """Return a Redis key with the prefix of this group."""
        return f"insights:{self.environment}:{{{self.name}}}:{what}"


@dataclass(frozen=True)
class Key:
    """The Redis keys of one question. `name` begins with its owner and a colon; owners share the room of a group."""

    group: Group
    name: str

    @property
    def entry(self) -> str:
        """Key of the entry."""
        return self.group.key(f"entry:{self.name}")

    @property
    def lease(self) -> str:
        """Key of the lease, held by the process that computes the entry."""
        return self.group.key(f"lease:{self.name}")
