"""A server that ends TLS itself: nothing older than 1.2, no clear text later, cookies of its own.

Assertions: A8, A10, A11.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.people.roles import Role
from server.runner import Running, running_server
from server.settings import ServerSettings, Settings
from tests.server.live import hearing
from tests.server.receiver import certificate_for

pytestmark = pytest.mark.server
PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Running]:
    listen = ServerSettings(tls_certificate=str(certificate), tls_key=str(certificate))
    database = tmp_path_factory.mktemp("data") / "heartline.db"
    with running_server(hearing(), database, settings=Settings(server=listen)) as running:
        running.access.accounts.add("ann", Role.AGENT, PASSWORD)
        yield running


def test_answers_forbid_clear_text_and_cookies_are_of_this_host(
    server: Running, certificate: Path
) -> None:
    context = ssl.create_default_context(cafile=certificate)
    browser = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=20)
    body = json.dumps({"name": "ann", "password": PASSWORD})
    browser.request("POST", "/v1/sign-in", body, {"Content-Type": "application/json"})
    answer = browser.getresponse()
    answer.read()
    assert answer.status == 204
    assert answer.getheader("strict-transport-security") == "max-age=31536000"
    cookie = str(answer.getheader("set-cookie")).split("; ")
    assert cookie[0].startswith("__Host-heartline_session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie)
    for name, status in (("__Host-heartline_session", 200), ("heartline_session", 401)):
        value = cookie[0].partition("=")[2]
        browser.request("GET", "/v1/me", headers={"Cookie": f"{name}={value}"})
        answer = browser.getresponse()
        answer.read()
        assert answer.status == status
    browser.close()


@pytest.mark.parametrize(
    ("version", "accepted"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)],
)
def test_a_handshake_below_tls_1_2_fails(
    server: Running, certificate: Path, version: ssl.TLSVersion, accepted: bool
) -> None:
    context = ssl.create_default_context(cafile=certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.version() == "TLSv1.2"
                made = True
        except (ssl.SSLError, ConnectionError):
            made = False
    assert made is accepted
