"""Protection against server-side request forgery: callbacks go to public addresses only.

A callback URL is chosen by a client, so it may point to what only the server can reach: its own loopback interface, an
internal database, a cloud's metadata service. To check the URL before the request is not enough, because a name may
resolve to another address the second time (DNS rebinding). `GuardedNetwork` resolves the name once, checks every
address, and connects only to an address that it has checked. The Host header and the TLS server name stay those of the
URL. Redirects are never followed.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from functools import lru_cache

import httpcore
import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: `ipaddress.is_global` depends on the version of Python, so these come from the IANA registries: the public IPv6
#: block, the NAT64 prefix that represents all of IPv4, and blocks within them that are not public.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PUBLIC_IPV6 = (ipaddress.IPv6Network("2000::/3"), _NAT64)
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
#: Cloud metadata services that are not link-local: Alibaba, Oracle, AWS over IPv6.
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
#: IPv6 ranges whose last 32 bits are an IPv4 address, to which a gateway may translate (RFC 6052, 8215, 2765, 4291).
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_IPV4_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")

#: A valid host name. A host whose last label is a number can only be an address, and is never resolved as a name.
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)", re.ASCII)


class ForbiddenAddress(Exception):
    """The server may not send callbacks to this address. The message is the reason, for the client."""


@lru_cache(maxsize=1024)  # clients use the same few URLs, and to parse a URL takes as long as to route a request
def check_callback_url(url: str, *, allow_private: bool) -> httpx.URL:
    """Parse a callback URL, and check everything that needs no DNS lookup. Raises `ForbiddenAddress`."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ForbiddenAddress(f"it is not a URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ForbiddenAddress("it must start with http:// or https:// and have a host")
    if parsed.userinfo:
        raise ForbiddenAddress("it must not contain a user name or a password")
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        raise ForbiddenAddress("its port must be between 1 and 65535")
    host = parsed.raw_host.decode("ascii").removesuffix(".").lower()  # as the resolver gets it
    if not allow_private and (host == "localhost" or host.endswith(".localhost")):
        raise ForbiddenAddress(_not_public(host))
    if (address := literal_address(host)) is not None:
        check_address(address, allow_private=allow_private)
    elif not _NAME.fullmatch(host) or _ENDS_IN_A_NUMBER.fullmatch(host):
        raise ForbiddenAddress(f"its host {host} is neither a name nor an address")
    return parsed


def literal_address(host: str) -> Address | None:
    """The address in `host`, in any notation that a resolver accepts (`127.1`, `0x7f000001`, `[::1]`), or None."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def check_address(address: Address, *, allow_private: bool) -> None:
    """Raise `ForbiddenAddress` unless the server may connect to `address`.

    Link-local, cloud metadata, multicast, unspecified and reserved addresses are refused even with `allow_private`.
    """
    for target in (address, *_embedded(address)):
        never = target.is_link_local or target.is_multicast or target.is_unspecified or target in _METADATA
        if isinstance(target, ipaddress.IPv6Address):
            never = never or target.is_site_local
        elif target.is_reserved:
            never = True
        if never:
            raise ForbiddenAddress(f"{address} is never allowed as the address of a callback")
        if not (allow_private or _is_public(target)):
            raise ForbiddenAddress(_not_public(str(address)))


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NOT_PUBLIC):
        return False
    if isinstance(address, ipaddress.IPv6Address) and not any(address in network for network in _PUBLIC_IPV6):
        return False
    return address.is_global


def _embedded(address: Address) -> Iterable[Address]:
    """The IPv4 addresses embedded in an IPv6 address, to which a gateway may translate it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
        gateways = (_NAT64, _NAT64_LOCAL, _IPV4_TRANSLATED, _IPV4_COMPATIBLE)
        if any(address in network for network in gateways) and int(address) > 1:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _not_public(host: str) -> str:
    return (
        f"{host} is not a public address (KIT_WEBHOOK_ALLOW_PRIVATE=1 on the server allows private and loopback ones)"
    )


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """httpcore's network backend, limited to the addresses to which the server may connect."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve `host`, check all of its addresses, and connect to the first that accepts."""
        try:
            async with asyncio.timeout(timeout):
                resolved = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} did not resolve in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} does not resolve") from error
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in resolved))
        for address in addresses:
            check_address(ipaddress.ip_address(address), allow_private=self._allow_private)
        failure: httpcore.NetworkError | httpcore.TimeoutException = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Part of httpcore's interface: its pause between retries."""
        await asyncio.sleep(seconds)
