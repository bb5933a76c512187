"""Lists of networks as people write them: addresses and CIDR blocks, separated by commas or spaces."""

import functools
import ipaddress

from entrepot.errors import HubError, Kind

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST = 200
"""Most networks in one list."""
_LONGEST = 49
_MAPPED = 96
"""Bits before the IPv4 part of ::ffff:a.b.c.d."""


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Network, ...]:
    """The networks of a list; raises BAD_PARAM naming the word that is none."""
    words = text.replace(",", " ").split()
    if len(words) > MOST:
        raise HubError(Kind.BAD_PARAM, f"at most {MOST} networks")
    found = []
    for word in words:
        try:
            # A zone (fe80::1%eth0) has a meaning on its own machine only.
            network = ipaddress.ip_network(word if len(word) <= _LONGEST and "%" not in word else "", strict=False)
        except ValueError as fault:
            raise HubError(Kind.BAD_PARAM, f"{word[:60]!r} is no address or network such as 192.0.2.0/24") from fault
        mapped = getattr(network.network_address, "ipv4_mapped", None)
        if mapped is not None and network.prefixlen >= _MAPPED:
            network = ipaddress.ip_network((mapped, network.prefixlen - _MAPPED), strict=False)
        found.append(network)
    return tuple(found)


def contains(text: str, address: str) -> bool:
    """Whether a list holds an address; an address that cannot be read is in no list."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A dual-stack socket shows an IPv4 client as ::ffff:a.b.c.d.
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in parse(text))


def neighbourhood(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 of an IPv6 address, which one customer usually has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    if parsed.version == 4 or mapped:
        return str(mapped or parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
