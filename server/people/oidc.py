"""Signing in at an OpenID Connect provider: authorization code with PKCE, tokens checked here.

A person is known by a claim that equals the name of a user of this server; roles and teams are the
server's own, so that whoever is shut out here stays out, whatever the provider says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures of identity tokens that are accepted; never one with a shared secret, never none."""
LIFETIME_S = 600.0
"""How long signing in at the provider may take."""
MOST_PENDING = 1_000
_LEEWAY_S = 60
_TIMEOUT_S = 10.0
_METADATA_FOR_S = 3_600.0
_LARGEST_BYTES = 262_144


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[oidc]`: the provider at which people sign in; off while `issuer` is empty."""

    issuer: str = ""
    """The provider's issuer, exactly as it names itself, such as `https://login.example.com`."""
    client_id: str = ""
    """Under which name the provider knows this server."""
    client_secret: str = ""
    """Its secret; better in HEARTLINE_OIDC__CLIENT_SECRET than in the file."""
    claim: str = "email"
    """Claim that equals the name of a user here; an e-mail address must be a verified one."""
    scopes: str = "openid email profile"
    """What the provider is asked for."""

    @property
    def enabled(self) -> bool:
        """Whether people can sign in at a provider."""
        return bool(self.issuer)

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"OidcSettings(issuer={self.issuer!r}, client_id={self.client_id!r})"


class OidcError(Exception):
    """Somebody cannot be signed in like this; the text says nothing of theirs."""

    code = "oidc_refused"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was sent to the provider."""

    until_s: float
    browser_sha256: str
    """Of the cookie, so that only the browser that began can finish."""
    nonce: str
    verifier: str
    redirect_uri: str


class Oidc:
    """Speaks with one provider."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        now_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], int] = lambda: int(time.time()),  # noqa: TID251 - tokens carry it
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Check the settings; nothing is asked of the provider yet.

        Raises:
            OidcError: a setting is missing or cannot be used, or the extra is not installed.
        """
        try:
            import joserfc  # noqa: F401 - an optional extra
        except ImportError as error:
            raise OidcError("oidc.issuer needs `pip install 'heartline[oidc]'`.") from error
        _check_secure("oidc.issuer", settings.issuer)
        if not settings.client_id:
            raise OidcError("oidc.client_id is missing.")
        self._settings = settings
        self._now_s = now_s
        self._wall_s = wall_s
        self._transport = transport
        self._pending: dict[str, Pending] = {}
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: dict[str, Any] | None = None

    async def begin(self, redirect_uri: str) -> tuple[str, str]:
        """Return where to send a browser, and the cookie that it is to bring back.

        Raises:
            OidcError: the provider cannot be reached, or too many are on their way.
        """
        metadata = await self._provider()
        now_s = self._now_s()
        self._pending = {s: p for s, p in self._pending.items() if p.until_s >= now_s}
        if len(self._pending) >= MOST_PENDING:
            raise OidcError("Too many are signing in at this moment; try again in a minute.")
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        pending = Pending(
            until_s=now_s + LIFETIME_S,
            browser_sha256=_sha256_hex(browser),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=redirect_uri,
        )
        self._pending[state] = pending
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": redirect_uri,
                "scope": self._settings.scopes,
                "state": state,
                "nonce": pending.nonce,
                "code_challenge": code_challenge(pending.verifier),
                "code_challenge_method": "S256",
            }
        )
        return f"{metadata['authorization_endpoint']}?{query}", browser

    async def finish(self, state: str, code: str, browser: str) -> str:
        """Return the name that the provider vouches for.

        Raises:
            OidcError: the browser, the code or the token is not what was asked for.
        """
        pending = self._pending.pop(state, None)
        if pending is None or pending.until_s < self._now_s():
            raise OidcError("This sign-in is too old; begin again.")
        if not hmac.compare_digest(pending.browser_sha256, _sha256_hex(browser)):
            raise OidcError("This sign-in was begun in another browser.")
        metadata = await self._provider()
        answer = await self._ask(
            "POST",
            metadata["token_endpoint"],
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": pending.redirect_uri,
                "code_verifier": pending.verifier,
            },
            auth=(self._settings.client_id, self._settings.client_secret),
        )
        claims = await self._claims(str(answer.get("id_token", "")), pending.nonce)
        name = claims.get(self._settings.claim)
        if not isinstance(name, str) or not name:
            raise OidcError(f"The provider says no {self._settings.claim}.")
        if self._settings.claim == "email" and claims.get("email_verified") is not True:
            raise OidcError("The provider has not verified the e-mail address.")
        return name

    async def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        expected = jwt.JWTClaimsRegistry(
            now=self._wall_s,
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = dict((await self._decode(token)).claims)
            expected.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise OidcError("The provider's token is not good.") from error
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if several and claims.get("azp") != self._settings.client_id:
            raise OidcError("The provider's token is for somebody else.")
        return claims

    async def _decode(self, token: str) -> Any:
        """Check a token's signature; one that no known key made has the keys fetched anew."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            return jwt.decode(token, await self._key_set(fresh=False), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            return jwt.decode(token, await self._key_set(fresh=True), algorithms=ALGORITHMS)

    async def _key_set(self, *, fresh: bool) -> Any:
        """Return the provider's keys."""
        from joserfc.jwk import KeySet

        if self._keys is None or fresh:
            metadata = await self._provider()
            self._keys = await self._ask("GET", metadata["jwks_uri"])
        try:
            return KeySet.import_key_set(self._keys)  # type: ignore[arg-type]
        except (ValueError, KeyError, TypeError) as error:
            raise OidcError("The provider's keys cannot be read.") from error

    async def _provider(self) -> dict[str, Any]:
        """Return what the provider says of itself, at most an hour old."""
        if self._metadata is not None and self._metadata[0] >= self._now_s():
            return self._metadata[1]
        issuer = self._settings.issuer
        found = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise OidcError("The provider names itself otherwise than oidc.issuer does.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            _check_secure(name, str(found.get(name, "")))
        self._metadata = (self._now_s() + _METADATA_FOR_S, found)
        return found

    async def _ask(self, method: str, url: str, **wishes: Any) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(
                transport=self._transport, timeout=_TIMEOUT_S, trust_env=False
            ) as client:
                answer = await client.request(method, url, follow_redirects=False, **wishes)
        except httpx.HTTPError as error:
            raise OidcError("The provider cannot be reached.") from error
        if answer.status_code != 200 or len(answer.content) > _LARGEST_BYTES:
            raise OidcError(f"The provider answered {answer.status_code}.")
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise OidcError("The provider's answer cannot be read.") from error


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_secure(name: str, url: str) -> None:
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.hostname is None or not (
        parts.scheme == "https" or (parts.scheme == "http" and local)
    ):
        raise OidcError(f"{name} must begin with https://.")
