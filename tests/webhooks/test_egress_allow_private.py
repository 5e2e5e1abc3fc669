"""With KIT_WEBHOOK_ALLOW_PRIVATE=1 a callback may go to loopback. Some addresses stay refused."""

from urllib.parse import urlsplit

import pytest

from patterns.webhooks.egress import ForbiddenAddress, check_callback_url
from tests.support.callback_receiver import CallbackReceiver
from tests.support.serving import Served
from tests.support.tripwire import Tripwire
from tests.webhooks.hostile_urls import BAD_PORTS, LINK_LOCAL_AND_METADATA, at


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"])
def test_loopback_is_called_under_the_name_that_the_url_has(
    webhook: Served, receiver: CallbackReceiver, host: str
) -> None:
    port = urlsplit(receiver.url).port

    webhook.until_delivery(webhook.accept(callback_url=receiver.url.replace("127.0.0.1", host)))

    [request] = receiver.seen()
    assert request.headers["host"] == f"{host}:{port}"


@pytest.mark.parametrize("url", [*LINK_LOCAL_AND_METADATA, *BAD_PORTS], ids=ascii)
def test_link_local_addresses_metadata_services_and_impossible_ports_stay_refused(webhook: Served, url: str) -> None:
    with Tripwire() as tripwire:
        assert webhook.submit(callback_url=at(url, tripwire.port)).status_code == 422
        assert tripwire.visitors() == []


@pytest.mark.parametrize("url", ["http://0.0.0.0/", "http://[::]/", "http://224.0.0.1/", "http://255.255.255.255/"])
def test_unspecified_and_multicast_addresses_stay_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddress, match="never allowed as the address of a callback"):
        check_callback_url(url, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hooks/agent?task=1",
        "http://example.com:8080/",
        "https://EXAMPLE.com./",
        "https://bücher.example/",
        "https://my_service.example-1.com/",
        "https://1password.example/",
        "http://93.184.215.14/",
        "http://[2606:4700:4700::1111]:8080/",
        "http://[64:ff9b::93.184.215.14]/",
    ],
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_public_names_and_addresses_are_allowed_either_way(url: str, allow_private: bool) -> None:
    check_callback_url(url, allow_private=allow_private)
