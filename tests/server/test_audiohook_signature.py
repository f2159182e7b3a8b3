"""AudioHook's signature: the golden vector, our own, and those of an independent package."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest

from server.adapters.audiohook_signature import Nonces, SignatureError, sign, verify

pytestmark = pytest.mark.unit

SECRET = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="
KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
TARGET = "/api/v1/voicebiometrics/ws"
AUTHORITY = "audiohook.example.com"
SIGNED = {
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "x-api-key": KEY,
}
PARAMETERS = (
    f';keyid="{KEY}";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";alg="hmac-sha256"'
    ";created=1641013200;expires=3282026430"
)
GOLDEN = "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:"
NOW_S = 1_641_013_201.0


def signed(parameters: str = PARAMETERS, **changes: str) -> dict[str, str]:
    headers = {**SIGNED, **{name.replace("_", "-"): value for name, value in changes.items()}}
    stated, signature = sign(headers, TARGET, AUTHORITY, SECRET, parameters)
    return {**headers, "signature-input": stated, "signature": signature}


def check(
    headers: dict[str, str],
    wall_s: float | None = NOW_S,
    nonces: Nonces | None = None,
    keys: dict[str, str] | None = None,
    target: str = TARGET,
    authority: str = AUTHORITY,
) -> None:
    verify(
        headers,
        target,
        authority,
        keys if keys is not None else {KEY: SECRET},
        nonces=nonces or Nonces(),
        wall_s=wall_s,
    )


def test_the_golden_vector_verifies_and_is_what_we_sign() -> None:
    headers = signed()
    assert headers["signature"] == GOLDEN
    check(headers, wall_s=None)
    check(headers)


@pytest.mark.parametrize("name", [*SIGNED, "signature", "signature-input"])
def test_an_altered_or_missing_header_is_refused(name: str) -> None:
    headers = signed()
    for value in (headers[name] + "0", "0" + headers[name], ""):
        with pytest.raises(SignatureError):
            check({**headers, name: value})
    del headers[name]
    with pytest.raises(SignatureError):
        check(headers)


def test_another_path_or_host_is_refused() -> None:
    with pytest.raises(SignatureError, match="wrong signature"):
        check(signed(), target=TARGET + "?x=1")
    with pytest.raises(SignatureError, match="wrong signature"):
        check(signed(), authority="evil.example")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((KEY, "other"), "keyid"),
        (("VGhpc0lzQVVuaXF1ZU5vbmNl", "short"), "nonce"),
        (("hmac-sha256", "rsa-v1_5-sha256"), "algorithm"),
        ((";created=1641013200", ""), "created"),
        (("created=1641013200", "created=1641013191"), None),
        (("created=1641013200", "created=1641013190"), "too long ago"),
        (("created=1641013200", "created=1641013204"), None),
        (("created=1641013200", "created=1641013205"), "future"),
        (("expires=3282026430", "expires=1641013200"), "expired"),
        ((';alg="hmac-sha256"', ""), None),
        ((";expires=3282026430", ""), None),
        ((";expires", ";created=1;expires"), "parameters"),
    ],
)
def test_the_parameters_are_checked(change: tuple[str, str], words: str | None) -> None:
    headers = signed(PARAMETERS.replace(*change))
    if words is None:
        check(headers)
    else:
        with pytest.raises(SignatureError, match=words):
            check(headers)


def test_a_nonce_counts_once_in_a_minute() -> None:
    nonces = Nonces()
    check(signed(), nonces=nonces)
    with pytest.raises(SignatureError, match="used before"):
        check(signed(), NOW_S + 5, nonces)
    late = signed(PARAMETERS.replace("1641013200", "1641013262"))
    check(late, NOW_S + 61.5, nonces)


def test_a_component_that_is_not_signed_is_refused() -> None:
    headers = signed()
    for name in ("@authority", "x-api-key", "audiohook-session-id"):
        fewer = headers["signature-input"].replace(f'"{name}"', "").replace("  ", " ")
        fewer = fewer.replace("( ", "(").replace(" )", ")")
        with pytest.raises(SignatureError, match="required component"):
            check({**headers, "signature-input": fewer})


@pytest.mark.parametrize("junk", ["", "sig1", "sig1=()", 'sig1=("a" "b"', "\udcff", "x" * 60_000])
def test_junk_is_refused(junk: str) -> None:
    with pytest.raises(SignatureError):
        check({**signed(), "signature-input": junk})
    with pytest.raises(SignatureError):
        check({**signed(), "signature": junk})


def test_unsigned_sessions_pass_only_for_a_key_whose_secret_is_empty() -> None:
    check(dict(SIGNED), keys={KEY: ""})
    with pytest.raises(SignatureError, match="unknown API key"):
        check(dict(SIGNED), keys={"other": ""})
    with pytest.raises(SignatureError):
        check(dict(SIGNED))


class Upgrade:
    """A request as the independent package sees it."""

    method = "GET"
    url = f"https://{AUTHORITY}{TARGET}"

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


def independent() -> tuple[Any, Any]:
    package = pytest.importorskip(
        "http_message_signatures", reason="http-message-signatures is not installed"
    )
    import base64

    key = base64.b64decode(SECRET)
    resolver = package.MappingKeyResolver(public_keys={KEY: key}, private_keys={KEY: key})
    algorithm = package.algorithms.HMAC_SHA256
    return (
        package.HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=resolver),
        package.HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=resolver),
    )


def test_an_independent_package_verifies_the_golden_vector() -> None:
    _, verifier = independent()
    (result,) = verifier.verify(Upgrade(signed()), max_age=None)
    assert result.nonce == "VGhpc0lzQVVuaXF1ZU5vbmNl"
    with pytest.raises(Exception, match=r"(?i)signature|verif"):
        verifier.verify(Upgrade({**signed(), "audiohook-session-id": "x"}), max_age=None)


def test_signatures_of_an_independent_package_are_accepted_in_its_own_parameter_order() -> None:
    signer, _ = independent()
    upgrade = Upgrade(dict(SIGNED))
    now = datetime.datetime.now(tz=datetime.UTC)
    signer.sign(
        upgrade,
        key_id=KEY,
        created=now,
        expires=now + datetime.timedelta(seconds=10),
        nonce="VGhpc0lzQVVuaXF1ZU5vbmNl",
        label="sig1",
        covered_component_ids=("@request-target", "@authority", *SIGNED),
    )
    headers = {name.lower(): value for name, value in upgrade.headers.items()}
    assert not re.search(r"\);keyid", headers["signature-input"])
    check(headers, now.timestamp())
