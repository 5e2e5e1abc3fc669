"""The link that can be cut: it must treat connections as a network does, or the test of two hosts proves nothing."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.scale.two_hosts.link import Link
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """The server at the far end."""
    with socket.create_server(("127.0.0.1", 0)) as far:
        far.settimeout(PATIENCE_SECONDS)
        yield far


@pytest.fixture
def link(listener: socket.socket) -> Iterator[Link]:
    """A link to that server."""
    with Link(listener.getsockname()) as made:
        yield made


def connect(link: Link, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection through the link."""
    near = socket.create_connection((link.host, link.port), timeout=PATIENCE_SECONDS)
    far, _ = listener.accept()
    far.settimeout(PATIENCE_SECONDS)
    return near, far


def test_what_is_sent_arrives_both_ways(link: Link, listener: socket.socket) -> None:
    near, far = connect(link, listener)
    with near, far:
        near.sendall(b"question")
        assert far.recv(100) == b"question"
        far.sendall(b"answer")
        assert near.recv(100) == b"answer"


def test_a_cut_holds_up_what_is_sent_and_healing_delivers_it(link: Link, listener: socket.socket) -> None:
    near, far = connect(link, listener)
    with near, far:
        link.cut()
        near.sendall(b"held up")
        far.settimeout(0.3)
        with pytest.raises(TimeoutError):
            far.recv(100)
        link.heal()
        far.settimeout(PATIENCE_SECONDS)
        assert far.recv(100) == b"held up"


def test_during_a_cut_the_end_of_a_connection_is_held_up_too(link: Link, listener: socket.socket) -> None:
    near, far = connect(link, listener)
    with far:
        link.cut()
        near.close()
        far.settimeout(0.3)
        with pytest.raises(TimeoutError):
            far.recv(100)
        link.heal()
        far.settimeout(PATIENCE_SECONDS)
        assert far.recv(100) == b""


def test_a_connection_made_during_a_cut_comes_through_when_it_is_healed(link: Link, listener: socket.socket) -> None:
    link.cut()
    with (
        socket.create_connection((link.host, link.port), timeout=PATIENCE_SECONDS) as near,
        ThreadPoolExecutor() as one,
    ):
        near.sendall(b"early")
        listener.settimeout(0.3)
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.settimeout(PATIENCE_SECONDS)
        arriving = one.submit(listener.accept)
        link.heal()
        far, _ = arriving.result()
        with far:
            assert far.recv(100) == b"early"


def test_without_a_server_at_the_far_end_the_connection_is_closed() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with (
            Link(nobody.getsockname()) as link,
            socket.create_connection((link.host, link.port), timeout=PATIENCE_SECONDS) as near,
        ):
            assert near.recv(100) == b""
