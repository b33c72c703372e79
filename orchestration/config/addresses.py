"""What an address says about the network between here and there."""

from __future__ import annotations

import ipaddress
import re

_PLAIN = re.compile(r"http://(?:\[([^\]]*)\]|([^/:?#]*))", re.I)


def is_this_machine(host: str) -> bool:
    """Return whether a host is this machine by its name or number: what is sent there crosses no network."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_unencrypted(url: str) -> bool:
    """Return whether requests to a URL cross the network unencrypted."""
    found = _PLAIN.match(url)
    return found is not None and not is_this_machine(found[1] or found[2])
