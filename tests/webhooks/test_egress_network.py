"""The network guard: what it has checked is what it connects to, whatever a name resolves to later."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpcore
import pytest

from patterns.webhooks.egress import ForbiddenAddress, GuardedNetwork
from tests.support.tripwire import Tripwire

_PUBLIC, _PUBLIC_IPV6 = "93.184.215.14", "2606:4700:4700::1111"


class Resolver:
    """Stands in for a name server: gives the answers in turn, and the last one from then on."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]


Resolving = Callable[..., Resolver]


@pytest.fixture
async def resolving(monkeypatch: pytest.MonkeyPatch) -> Resolving:
    """Makes every name resolve to the given answers, for the event loop of the test."""

    def resolve(*answers: list[str]) -> Resolver:
        resolver = Resolver(*answers)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver.getaddrinfo)
        return resolver

    return resolve


@pytest.fixture
async def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that are connected to. Nobody answers there: nothing leaves this machine."""
    called: list[str] = []

    async def refuse(protocol: object, host: str, port: int, **_: Any) -> None:
        called.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", refuse)
    return called


_NOT_PUBLIC = (
    *("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "192.0.0.192", "100.64.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1%2", "fd00:ec2::254", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
)


@pytest.mark.parametrize("address", _NOT_PUBLIC)
async def test_a_name_that_resolves_to_what_is_not_public_is_not_called(
    resolving: Resolving, calls: list[str], address: str
) -> None:
    resolving([address])

    with pytest.raises(ForbiddenAddress):
        await GuardedNetwork(allow_private=False).connect_tcp("innocent.example", 80)

    assert calls == []


@pytest.mark.parametrize("found", [[_PUBLIC, "127.0.0.1"], ["127.0.0.1", _PUBLIC], [_PUBLIC, _PUBLIC_IPV6, "::1"]])
async def test_a_name_with_one_address_that_is_not_public_is_not_called_at_any_of_them(
    resolving: Resolving, calls: list[str], found: list[str]
) -> None:
    resolving(found)

    with pytest.raises(ForbiddenAddress):
        await GuardedNetwork(allow_private=False).connect_tcp("innocent.example", 80)

    assert calls == []


async def test_a_name_that_resolves_to_loopback_the_second_time_is_resolved_only_once_for_a_connection(
    resolving: Resolving, calls: list[str]
) -> None:
    resolver, network = resolving([_PUBLIC], ["127.0.0.1"]), GuardedNetwork(allow_private=False)

    with pytest.raises(httpcore.ConnectError):
        await network.connect_tcp("rebinding.example", 80)

    assert resolver.asked == 1
    assert calls == [_PUBLIC]


async def test_the_next_connection_is_checked_anew(resolving: Resolving, calls: list[str]) -> None:
    resolving([_PUBLIC], ["127.0.0.1"])
    network = GuardedNetwork(allow_private=False)
    with pytest.raises(httpcore.ConnectError):
        await network.connect_tcp("rebinding.example", 80)

    with pytest.raises(ForbiddenAddress):
        await network.connect_tcp("rebinding.example", 80)

    assert calls == [_PUBLIC]


async def test_every_public_address_is_tried(resolving: Resolving, calls: list[str]) -> None:
    resolving([_PUBLIC_IPV6, _PUBLIC, _PUBLIC])

    with pytest.raises(httpcore.ConnectError):
        await GuardedNetwork(allow_private=False).connect_tcp("two.example", 80)

    assert calls == [_PUBLIC_IPV6, _PUBLIC]


async def test_a_name_without_an_address_cannot_be_called(resolving: Resolving, calls: list[str]) -> None:
    resolving([])

    with pytest.raises(httpcore.ConnectError, match="has no address"):
        await GuardedNetwork(allow_private=False).connect_tcp("nobody.example", 80)


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example"])
async def test_a_name_that_cannot_be_one_cannot_be_called(calls: list[str], name: str) -> None:
    with pytest.raises(httpcore.ConnectError, match="does not resolve"):
        await GuardedNetwork(allow_private=False).connect_tcp(name, 80)


async def test_where_it_is_allowed_loopback_is_called_at_the_address_that_answers(resolving: Resolving) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resolving(["::1", "127.0.0.1"])
        stream = await GuardedNetwork(allow_private=True).connect_tcp("here.example", listener.getsockname()[1])
        await stream.aclose()

        listener.settimeout(10)
        listener.accept()[0].close()


async def test_where_loopback_is_allowed_link_local_is_not(resolving: Resolving) -> None:
    with Tripwire() as tripwire:
        for found in (["169.254.169.254"], ["127.0.0.1", "169.254.169.254"], ["fe80::1%2"]):
            resolving(found)
            with pytest.raises(ForbiddenAddress):
                await GuardedNetwork(allow_private=True).connect_tcp("here.example", tripwire.port)
        assert tripwire.visitors() == []
