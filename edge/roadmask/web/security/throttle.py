"""Who gave wrong tokens lately, and how long that address must wait: guessing is slow."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict

BURST = 5  # wrong tokens that an address may give at once
_REFILL_S = 2.0  # until it may give one more
_ADDRESSES = 4096  # remembered; the one that was wrong longest ago is forgotten first


class Throttle:
    """Counts wrong tokens by address; an IPv6 host owns a /64, and so counts as one."""

    def __init__(self) -> None:
        self._free_s: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Seconds until a token of that address is looked at; 0 = now."""
        debt_s = self._free_s.get(_host(address), 0.0) - time.monotonic()
        return max(0, math.ceil(debt_s - (BURST - 1) * _REFILL_S))

    def wrong(self, address: str) -> None:
        """It gave a wrong token."""
        host, now_s = _host(address), time.monotonic()
        self._free_s[host] = max(self._free_s.pop(host, 0.0), now_s) + _REFILL_S
        while len(self._free_s) > _ADDRESSES:
            self._free_s.popitem(last=False)


def _host(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return address
