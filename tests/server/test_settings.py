"""Defaults, file, environment, flags, in this order; nothing unknown gets through."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.adapters.settings import IngestSettings
from server.settings import ServerSettings, Settings, SettingsError, load_settings

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    path = Path("heartline.toml")
    path.write_text(text, "utf-8")
    return path


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings(None, {}) == Settings()


def test_each_source_overrides_the_one_before() -> None:
    write('[server]\nport = 1\n[asr]\nmodel = "base.en"\nbeam_final = 2\n')
    settings = load_settings(
        None, {"HEARTLINE_ASR__BEAM_FINAL": "3", "PATH": "/bin"}, {"server.port": 4}
    )
    assert (settings.asr.model, settings.asr.beam_final, settings.server.port) == ("base.en", 3, 4)


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    write("[server]\nport = 1\n")
    assert load_settings(None, {}, {"server.port": None}).server.port == 1


def test_a_variable_that_is_no_toml_is_text() -> None:
    settings = load_settings(None, {"HEARTLINE_ASR__MODEL": "/models/base.en"})
    assert settings.asr.model == "/models/base.en"


def test_the_folder_of_recordings_is_no_setting() -> None:
    assert load_settings(None, {"HEARTLINE_DATA": "/recordings"}) == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[asr]\nmodle = "x"\n', ["asr.modle", "did you mean model?"]),
        ("[sever]\nport = 1\n", ["sever", "did you mean server?"]),
        ('[server]\nport = "high"\n', ["server.port", "'high'", "expected `int`"]),
        ("[server\n", ["not TOML"]),
        ("[conversation.floor]\nhold_ms = 1\n", ["conversation.floor.hold_ms"]),
    ],
)
def test_a_wrong_file_is_one_sentence_with_the_key_and_the_remedy(
    text: str, words: list[str]
) -> None:
    path = write(text)
    with pytest.raises(SettingsError) as refused:
        load_settings(path, {})
    message = str(refused.value)
    assert all(word in message for word in ["heartline.toml", *words]), message
    assert "\n" not in message


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError, match=r"HEARTLINE_SERVER__PROT.*did you mean port"):
        load_settings(None, {"HEARTLINE_SERVER__PROT": "1"})


def test_a_file_that_was_named_must_be_there() -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings(Path("nowhere.toml"), {})


def test_the_example_in_the_guide_is_the_defaults() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    example = guide.partition("```toml\n")[2].partition("```")[0]
    assert load_settings(write(example), {}) == Settings()


def test_every_setting_of_what_comes_in_is_documented_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    table = tomllib.loads(page.split("```toml\n")[1].split("```")[0])
    assert table["ingest"] == msgspec.to_builtins(IngestSettings())
    assert set(IngestSettings.__struct_fields__) == set(table["ingest"])


def test_secrets_are_in_no_text_made_of_the_settings() -> None:
    secret = "canary"
    settings = IngestSettings(
        stream_token=secret, twilio_auth_token=secret, audiohook_keys={"key": secret}
    )
    assert secret not in repr(settings)
    assert secret not in str(Settings(ingest=settings))


ORIGIN = ("https://heartline.example.com",)
TLS = {"tls_certificate": "c.pem", "tls_key": "k.pem"}


@pytest.mark.parametrize(
    ("given", "has_users", "missing"),
    [
        ({}, False, None),
        ({"origins": ORIGIN}, False, "users add"),
        ({"origins": ORIGIN}, True, None),
        ({"host": "192.0.2.1", "origins": ORIGIN, **TLS}, False, "users add"),
        ({"host": "192.0.2.1", **TLS}, True, "server.origins"),
        ({"host": "192.0.2.1", "origins": ORIGIN}, True, "TLS"),
        ({"host": "192.0.2.1", "origins": ORIGIN, **TLS}, True, None),
        ({"host": "192.0.2.1", "origins": ORIGIN, "insecure_listen": True}, True, None),
        ({"host": "192.0.2.1", "origins": ("*",), **TLS}, True, "'\\*'"),
        ({"tls_key": "k.pem"}, True, "go together"),
    ],
)
def test_a_server_that_others_can_reach_needs_users_origins_and_tls(
    given: dict[str, Any], has_users: bool, missing: str | None
) -> None:
    settings = ServerSettings(**given)
    if missing is None:
        settings.check(has_users=has_users)
    else:
        with pytest.raises(SettingsError, match=missing):
            settings.check(has_users=has_users)
