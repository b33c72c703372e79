"""The names under which things lie in Redis: one prefix for each environment and group (a dashboard).

The group stands in braces: in a Redis Cluster all keys of a group are in one slot, which the scripts of the store need.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """What is bounded and invalidated together: an environment and a name."""

    environment: str
    name: str

    @property
    def index(self) -> str:
        """The entries' names, by when each was last asked for (milliseconds since 1970)."""
        return self.key("index")

    @property
    def load(self) -> str:
        """The newest load that anybody computed an entry from."""
        return self.key("load")

    @property
    def counters(self) -> str:
        """What came of asking, one field a group and outcome; of the whole environment."""
        return f"insights:{self.environment}:counters"

    def asks(self, day: str) -> str:
        """How often each question was asked on a day (YYYY-MM-DD, UTC)."""
        return self.key(f"asks:{day}")

    def key(self, what: str) -> str:
        """The key of something of this group."""
        return f"insights:{self.environment}:{{{self.name}}}:{what}"


@dataclass(frozen=True)
class Key:
    """Where the entry of one question lies."""

    group: Group
    name: str

    @property
    def entry(self) -> str:
        """The entry's own key."""
        return self.group.key(f"entry:{self.name}")

    @property
    def lease(self) -> str:
        """Held by whoever computes the entry."""
        return self.group.key(f"lease:{self.name}")
