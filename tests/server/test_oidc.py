"""Signing in at a real OpenID Connect provider on loopback, and every way in which that fails."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from server.people.oidc import Oidc, OidcError, OidcSettings, code_challenge
from server.people.roles import Role
from server.runner import Running, running_server
from server.settings import Settings
from tests.server.live import hearing

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from oidc_provider_mock import User, run_server_in_thread

pytestmark = [pytest.mark.server, pytest.mark.unit]
ANN = "ann@example.com"


@contextmanager
def provider(*people: User) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with run_server_in_thread(user_claims=people, require_nonce=True) as server:
            yield f"http://localhost:{server.server_port}"


@contextmanager
def served(issuer: str, folder: Any) -> Iterator[Running]:
    oidc = OidcSettings(issuer=issuer, client_id="heartline", client_secret="shared")
    settings = Settings(oidc=oidc)
    with running_server(hearing(), folder / "h.db", settings=settings) as running:
        running.access.accounts.add(ANN, Role.AGENT, "a long enough password", agent="ann")
        yield running


def agree(address: str, subject: str) -> str:
    """Sign in on the provider's page; return where it sends the browser."""
    answer = httpx.post(address, data={"sub": subject})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def test_who_the_provider_vouches_for_is_signed_in(tmp_path: Any) -> None:
    people = [
        User(sub="1", claims={"email": ANN, "email_verified": True}),
        User(sub="2", claims={"email": ANN, "email_verified": False}),
        User(sub="3", claims={"email": "bob@example.com", "email_verified": True}),
    ]
    with provider(*people) as issuer, served(issuer, tmp_path) as running:
        base = f"http://127.0.0.1:{running.port}"
        with httpx.Client(base_url=base) as browser:
            assert browser.get("/v1/sign-in").json() == {"users": True, "provider": True}
            sent = browser.get("/v1/oidc/start")
            assert sent.status_code == 302
            asked = parse_qs(urlsplit(sent.headers["location"]).query)
            assert asked["redirect_uri"] == [f"{base}/v1/oidc/callback"]
            assert asked["code_challenge_method"] == ["S256"]
            back = agree(sent.headers["location"], "1")
            answer = browser.get(back)
            assert (answer.status_code, answer.headers["location"]) == (302, "/")
            cookie = next(c for c in answer.headers.get_list("set-cookie") if "session=" in c)
            assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
            me = browser.get("/v1/me").json()
            assert (me["name"], me["role"]) == (ANN, "agent")
            assert browser.get(back).status_code == 401
        newest = running.access.audit.entries(limit=1)[0]
        assert (newest.action, newest.note) == ("sign_in", "oidc")

        for subject in ("2", "3"):
            with httpx.Client(base_url=base) as browser:
                sent = browser.get("/v1/oidc/start")
                back = agree(sent.headers["location"], subject)
                assert browser.get(back).status_code == 401
                assert browser.get("/v1/me").status_code == 401

        sent = httpx.get(f"{base}/v1/oidc/start")
        assert httpx.get(agree(sent.headers["location"], "1")).status_code == 401

        running.access.accounts.set_disabled(ANN, disabled=True)
        with httpx.Client(base_url=base) as browser:
            sent = browser.get("/v1/oidc/start")
            assert browser.get(agree(sent.headers["location"], "1")).status_code == 401
        for query in ("", "?state=x&code=y", "?error=access_denied&state=x"):
            assert httpx.get(f"{base}/v1/oidc/callback{query}").status_code == 401


# --------------------------------------------------------------------------- a provider that lies

ISSUER = "https://login.example"
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
NOW = 1_800_000_000


class Liar:
    """A provider whose token and metadata a test chooses."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "k1"}
        self.key: Any = KEY
        self.metadata: dict[str, Any] = {}
        self.nonce = ""
        self.token_requests: list[dict[str, list[str]]] = []
        self.key_requests = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("openid-configuration"):
            return httpx.Response(200, json={
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
                **self.metadata,
            })  # fmt: skip
        if path == "/keys":
            self.key_requests += 1
            return httpx.Response(200, json=KeySet([KEY]).as_dict(private=False))
        self.token_requests.append(parse_qs(request.content.decode()))
        claims = {
            "iss": ISSUER, "aud": "heartline", "sub": "1", "exp": NOW + 300, "iat": NOW,
            "nonce": self.nonce, "email": ANN, "email_verified": True, **self.claims,
        }  # fmt: skip
        kept = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(self.header, kept, self.key, algorithms=[self.header["alg"]])
        return httpx.Response(200, json={"id_token": token})


def sign_in(liar: Liar, **settings: str) -> str:
    chosen = {"issuer": ISSUER, "client_id": "heartline", "client_secret": "shared", **settings}
    oidc = Oidc(OidcSettings(**chosen), wall_s=lambda: NOW, transport=httpx.MockTransport(liar))

    async def both() -> str:
        address, browser = await oidc.begin("https://heartline.example/v1/oidc/callback")
        asked = parse_qs(urlsplit(address).query)
        liar.nonce = asked["nonce"][0]
        name = await oidc.finish(asked["state"][0], "the-code", browser)
        (request,) = liar.token_requests
        assert code_challenge(request["code_verifier"][0]) == asked["code_challenge"][0]
        return name

    return asyncio.run(both())


def test_an_honest_token_is_taken() -> None:
    assert sign_in(Liar()) == ANN


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": None},
        {"aud": ["heartline", "other"]}, {"exp": NOW - 120}, {"exp": None}, {"iat": NOW + 120},
        {"nonce": "replayed"}, {"nonce": None}, {"sub": None}, {"email": None}, {"email": ""},
        {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"},
    ],
)  # fmt: skip
def test_a_token_that_is_not_exactly_what_was_asked_for_is_refused(claims: dict[str, Any]) -> None:
    liar = Liar()
    liar.claims = claims
    with pytest.raises(OidcError) as refused:
        sign_in(liar)
    assert "ann" not in str(refused.value)


def test_an_audience_of_several_needs_to_name_us_as_the_one_it_was_made_for() -> None:
    liar = Liar()
    liar.claims = {"aud": ["heartline", "other"], "azp": "heartline"}
    assert sign_in(liar) == ANN


def with_shared_secret(liar: Liar) -> None:
    liar.header, liar.key = {"alg": "HS256", "kid": "k1"}, OctKey.import_key("shared" * 8)


def with_another_key(liar: Liar) -> None:
    liar.key = RSAKey.generate_key(2048, {"kid": "k1"})


def with_an_unknown_key(liar: Liar) -> None:
    liar.header = {"alg": "RS256", "kid": "k2"}


@pytest.mark.parametrize("lie", [with_shared_secret, with_another_key, with_an_unknown_key])
def test_a_token_signed_by_anybody_else_is_refused(lie: Callable[[Liar], None]) -> None:
    liar = Liar()
    lie(liar)
    with pytest.raises(OidcError, match="not good"):
        sign_in(liar)
    assert liar.key_requests == 2


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"issuer": f"{ISSUER}/"}, "names itself otherwise"),
        ({"token_endpoint": "http://login.example/token"}, "token_endpoint must begin"),
        ({"jwks_uri": ""}, "jwks_uri must begin"),
    ],
)
def test_a_provider_that_is_not_what_was_configured_is_refused(
    metadata: dict[str, str], why: str
) -> None:
    liar = Liar()
    liar.metadata = metadata
    with pytest.raises(OidcError, match=why):
        sign_in(liar)


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"issuer": "http://login.example"}, "https"), ({"client_id": ""}, "client_id")],
)
def test_settings_that_cannot_be_used_are_told_at_the_start(
    settings: dict[str, str], why: str
) -> None:
    with pytest.raises(OidcError, match=why):
        sign_in(Liar(), **settings)


def test_a_sign_in_is_for_one_browser_once_and_for_ten_minutes() -> None:
    clock = [0.0]
    liar = Liar()
    oidc = Oidc(
        OidcSettings(issuer=ISSUER, client_id="heartline"), now_s=lambda: clock[0],
        wall_s=lambda: NOW, transport=httpx.MockTransport(liar),
    )  # fmt: skip

    async def tries() -> None:
        for delay_s, cookie, why in ((0.0, "other", "another browser"), (601.0, None, "too old")):
            address, browser = await oidc.begin("https://heartline.example/v1/oidc/callback")
            clock[0] += delay_s
            state = parse_qs(urlsplit(address).query)["state"][0]
            with pytest.raises(OidcError, match=why):
                await oidc.finish(state, "code", cookie or browser)
            with pytest.raises(OidcError, match="too old"):
                await oidc.finish(state, "code", browser)

    asyncio.run(tries())
    assert liar.token_requests == []


def test_the_secret_is_in_no_text_made_of_the_settings() -> None:
    settings = OidcSettings(issuer=ISSUER, client_id="c", client_secret="canary")
    assert "canary" not in repr(Settings(oidc=settings))
    assert "canary" in json.dumps(settings.client_secret)
