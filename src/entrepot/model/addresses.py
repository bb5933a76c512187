"""Which addresses the hub may call on somebody's behalf: public ones, and those that the operator allows."""

import ipaddress

from entrepot.model import networks

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def may_call(address: str, allowed: str) -> bool:
    """Whether an address may be called; ``allowed``: networks inside that are open. One that cannot be read may not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    every = _all_of(parsed)
    if all(networks.contains(allowed, str(one)) for one in every):
        return True
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in every)


def _all_of(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The address, or the IPv4 addresses that packets to it end up at."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    inside: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address in _COMPATIBLE:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:
        inside.append(address.sixtofour)
    if address.teredo is not None:
        inside += address.teredo
    return [address, *inside]
