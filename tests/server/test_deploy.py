"""The steps of docs/deploy.md lead from nothing to calls behind TLS, run as they are written."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from server.adapters.audiohook_signature import sign as sign_audiohook
from server.adapters.twilio_signature import sign as sign_twilio
from server.cli import app
from server.notify import notify
from server.settings import load_settings
from tests.server.audiohook_client import Client, exchange, send
from tests.server.live import mulaw
from tests.server.receiver import certificate_for

pytestmark = [pytest.mark.server, pytest.mark.model]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
NAME = "heartline.example.com"
PASSWORD = "correct horse battery"
HEARTLINE = Path(sys.executable).with_name("heartline")


def blocks(language: str, section: str = "") -> list[str]:
    """Return the fenced blocks of a language, of one section or of the page."""
    text = PAGE.partition(f"## {section}")[2].partition("\n## ")[0] if section else PAGE
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def secrets() -> dict[str, str]:
    (block,) = blocks("env")
    return dict(line.split("=", 1) for line in block.splitlines())


class Site:
    """A server that was set up by the page, and its proxy."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str]) -> None:
        self.folder = folder
        self.port = port
        self.environment = environment
        self.tls_port = 0
        self.certificate = certificate_for(folder, NAME)

    def admin(self, command: str) -> str:
        """Run a command of the page as `heartline-admin` does."""
        arguments = command.removeprefix("sudo heartline-admin ").split()
        config = ["--config", str(self.folder / "heartline.toml")]
        done = CliRunner().invoke(app, [*arguments, *config], env=self.environment)
        assert done.exit_code == 0, done.output
        return done.output

    def connection(self) -> HTTPConnection:
        """Connect to the proxy as a browser that was given the name does."""
        context = ssl.create_default_context(cafile=self.certificate)
        plain = socket.create_connection(("127.0.0.1", self.tls_port), timeout=20)
        http = HTTPConnection(NAME, timeout=20)
        http.sock = context.wrap_socket(plain, server_hostname=NAME)
        return http

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        with closing(self.connection()) as http:
            text = None if body is None else json.dumps(body)
            json_type = {"Content-Type": "application/json"} if text else {}
            http.request(method, path, text, {**json_type, **headers})
            answer = http.getresponse()
            said = answer.read().decode()
            cookie = answer.getheader("set-cookie")
            return answer.status, cookie if cookie else said

    def sign_in(self, name: str) -> dict[str, str]:
        credentials = {"name": name, "password": PASSWORD}
        status, cookie = self.ask("POST", "/v1/sign-in", credentials, Origin=f"https://{NAME}")
        assert status == 204
        flags = str(cookie).split("; ")
        assert flags[0].startswith("__Host-")
        assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(flags)
        return {"Cookie": str(cookie).partition(";")[0]}

    def calls(self, name: str) -> list[dict[str, Any]]:
        status, said = self.ask("GET", "/v1/calls", **self.sign_in(name))
        assert status == 200
        found: list[dict[str, Any]] = json.loads(said)
        return found

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[ClientConnection]:
        context = ssl.create_default_context(cafile=self.certificate)
        plain = socket.create_connection(("127.0.0.1", self.tls_port), timeout=20)
        with connect(
            f"wss://{NAME}{path}", sock=plain, ssl=context, additional_headers=dict(headers)
        ) as stream:
            yield stream

    def until(self, what: Any, timeout_s: float = 60.0) -> Any:
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                found = what()
            except (OSError, AssertionError):
                found = None
            if found:
                return found
            assert time.monotonic() < give_up, "it did not happen in time"
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed; .ci/run installs it")
    folder = tmp_path_factory.mktemp("site")
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("HEARTLINE_")},
        "HEARTLINE_SERVER__DATA": str(folder / "data"),
        "HEARTLINE_SERVER__PORT": str(port),
        "PASSWORD": PASSWORD,
        **secrets(),
    }
    (folder / "heartline.toml").write_text(blocks("toml", "2. Settings")[0], "utf-8")
    site = Site(folder, port, environment)
    for block in blocks("sh", "3. Two people"):
        said = [site.admin(command) for command in block.splitlines()]
    assert "supervisor" in said[-1]
    serve = [str(HEARTLINE), "serve", "--no-words", "--config", "heartline.toml"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(serve, cwd=folder, env=environment, stdout=log, stderr=log) as server,
        proxy(site),
    ):
        try:
            site.until(lambda: site.ask("GET", "/readyz") == (200, "ready"))
            yield site
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


@contextmanager
def proxy(site: Site) -> Iterator[None]:
    """Run nginx with the shipped file; only its ports and certificate are of this machine."""
    site.tls_port = free_port()
    shipped = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for theirs, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{site.tls_port} ssl"),
        ("127.0.0.1:8787", f"127.0.0.1:{site.port}"),
        ("/etc/ssl/heartline/chain.pem", str(site.certificate)),
        ("/etc/ssl/heartline/key.pem", str(site.certificate)),
    ):
        assert theirs in shipped
        shipped = shipped.replace(theirs, ours)
    places = "".join(
        f"{kind}_temp_path {site.folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    owner = "user root;\n" if os.getuid() == 0 else ""
    (site.folder / "nginx.conf").write_text(
        f"{owner}daemon off;\npid {site.folder}/nginx.pid;\nerror_log {site.folder}/errors;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{shipped}}}\n",
        "utf-8",
    )
    command = ["nginx", "-p", str(site.folder), "-c", str(site.folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
        try:
            yield
        finally:
            nginx.terminate()


def twilio_messages() -> Iterator[str]:
    (xml,) = blocks("xml", "6. A telephone system")
    stream = ElementTree.fromstring(xml.strip())[0]  # noqa: S314 - our own page
    parameters = {p.attrib["name"]: p.attrib["value"] for p in stream}
    start = {
        "callSid": "CAdeploy",
        "tracks": ["inbound", "outbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": parameters,
    }
    yield json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
    yield json.dumps({"event": "start", "sequenceNumber": "1", "start": start})
    for n in range(100):
        for track, side in (("inbound", "customer"), ("outbound", "agent")):
            payload = base64.b64encode(mulaw(side)[n * 160 : n * 160 + 160]).decode()
            media = {"track": track, "timestamp": str(n * 20), "payload": payload}
            yield json.dumps({"event": "media", "sequenceNumber": str(2 + n), "media": media})
    yield json.dumps({"event": "stop", "sequenceNumber": "300", "stop": {}})


def test_people_sign_in_through_the_proxy_and_strangers_do_not(site: Site) -> None:
    status, said = site.ask("GET", "/v1/me", **site.sign_in("sue"))
    assert (status, json.loads(said)["role"]) == (200, "supervisor")
    assert site.ask("GET", "/v1/me")[0] == 401
    wrong = {"name": "sue", "password": "wrong horse battery"}
    assert site.ask("POST", "/v1/sign-in", wrong)[0] == 401
    assert site.ask("GET", "/", Origin="https://evil.example")[0] == 403
    with closing(site.connection()) as http:
        http.request("GET", "/")
        assert "max-age" in str(http.getresponse().getheader("strict-transport-security"))


def test_twilio_streams_in_with_the_words_of_the_page(site: Site) -> None:
    url = str(ElementTree.fromstring(blocks("xml")[0].strip())[0].attrib["url"])  # noqa: S314
    assert url == f"wss://{NAME}/v1/ingest/twilio"
    token = secrets()["HEARTLINE_INGEST__TWILIO_AUTH_TOKEN"]
    signed = {"X-Twilio-Signature": sign_twilio(token, url)}
    with site.stream("/v1/ingest/twilio", signed) as stream:
        for message in twilio_messages():
            stream.send(message)
    for name in ("ann", "sue"):
        (row,) = site.until(
            lambda who=name: [
                r for r in site.calls(who) if r["call_id"] == "CAdeploy" and not r["live"]
            ]
        )
        assert (row["agent"], row["team"]) == ("ann", "billing")
    status, report = site.ask("GET", "/v1/calls/CAdeploy/report.json", **site.sign_in("ann"))
    assert (status, json.loads(report)["call"]["duration_ms"]) == (200, 2_000)


def test_an_unsigned_stream_is_not_let_in(site: Site) -> None:
    with pytest.raises(InvalidStatus), site.stream("/v1/ingest/twilio", {}):
        pass


def test_genesys_streams_in_with_the_keys_of_the_page(site: Site) -> None:
    keys = load_settings(None, secrets()).ingest.audiohook_keys
    ((key, secret),) = keys.items()
    headers = {
        "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
        "audiohook-session-id": "dddddddd-84d3-4570-ac13-9a62d8f514c0",
        "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
        "x-api-key": key,
    }
    created = round(time.time())  # noqa: TID251 - what a client puts into its signature
    nonce = "bm9uY2Utbm9uY2Utbm9uY2U"
    stated = f';keyid="{key}";nonce="{nonce}";created={created};expires={created + 10}'
    given, signature = sign_audiohook(headers, "/v1/ingest/audiohook", NAME, secret, stated)
    headers |= {"signature-input": given, "signature": signature}
    client = Client(headers["audiohook-session-id"])
    with site.stream("/v1/ingest/audiohook", headers) as stream:
        assert exchange(stream, client, client.open())["type"] == "opened"
        send(stream, 0, 2_000)
        assert exchange(stream, client, client.message("close", {"reason": "end"}))


def test_every_other_command_of_the_page_runs(site: Site) -> None:
    ran = 0
    for section in ("6. A telephone system", "Watching it"):
        for block in blocks("sh", section):
            for command in block.splitlines():
                assert "hl_" in site.admin(command)
                ran += 1
    assert ran == 2


def test_prometheus_reads_the_metrics_with_the_key_of_the_page(site: Site) -> None:
    (command,) = blocks("sh", "Watching it")[0].splitlines()
    key = re.search(r"hl_\S+", site.admin(command))
    assert key is not None
    status, text = site.ask("GET", "/metrics", Authorization=f"Bearer {key[0]}")
    assert (status, "heartline_calls_active" in text) == (200, True)


# --------------------------------------------------------------------------- what is shipped


def test_every_variable_of_the_shipped_files_is_a_setting() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    settings = load_settings(None, compose["services"]["heartline"]["environment"])
    assert settings.server.insecure_listen
    assert settings.server.database
    unit = (ROOT / "deploy" / "heartline.service").read_text("utf-8")
    lines = [ln.partition("=")[2] for ln in unit.splitlines() if ln.startswith("Environment=")]
    given = dict(pair.split("=", 1) for line in lines for pair in line.split())
    assert load_settings(None, given).server.data == "/var/lib/heartline"
    assert {"Type=notify", "WatchdogSec=30", "DynamicUser=yes"} <= set(unit.splitlines())


def test_the_service_manager_is_told_of_start_life_and_end(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)

        async def run() -> None:
            told = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "40000"}
            task = asyncio.ensure_future(notify(told))
            await asyncio.sleep(0.15)
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(run())
        heard = [manager.recv(64) for _ in range(3)]
        while heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(64))
    assert heard[0] == b"READY=1"
    assert set(heard[1:-1]) == {b"WATCHDOG=1"}


def test_without_a_service_manager_nobody_is_told() -> None:
    asyncio.run(notify({}))
