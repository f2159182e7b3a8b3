"""Settings: defaults, then `heartline.toml`, then the environment, then flags.

    [server]        host, port, origins, tls_…, data, database
    [retention]     events_days, calls_days
    [ingest]        who may bring calls, secrets of telephony systems
    [rules]         folder
    [promises]      due_soon_hours, lapse_days
    [capture]       auto_pause
    [oidc]          the provider at which people sign in
    [log]           level, form
    [webhooks]      where messages to other systems may go
    [experiment]    enabled, silent_share, key
    [audio] [asr] [prosody] [conversation]   the numbers of each part, under their own names

An environment variable is `HEARTLINE_` and the key with `__` for the dot: `HEARTLINE_ASR__MODEL`,
`HEARTLINE_SERVER__PORT`. Its value is read as TOML where it is one, as text where it is not.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from asr.settings import AsrSettings
from audio.settings import AudioSettings
from conversation.settings import ConversationSettings
from prosody.settings import ProsodySettings
from server.adapters.settings import IngestSettings
from server.auto_capture import CaptureSettings
from server.contact_lens import ContactLensSettings
from server.experiment import ExperimentSettings
from server.hearing import HearingSettings
from server.logs import LogSettings
from server.people.oidc import OidcSettings
from server.rules_folder import RulesSettings
from server.store.promises import PromiseSettings
from server.store.retention import RetentionSettings
from server.webhooks.settings import WebhookSettings

DEFAULT_FILE = Path("heartline.toml")
_PREFIX = "HEARTLINE_"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?")
_NOT_SETTINGS = frozenset({"HEARTLINE_DATA", "HEARTLINE_SPEECH_BANK"})
"""Variables that other parts of the project read."""


class SettingsError(Exception):
    """A setting is unknown or has a value that cannot be used."""

    code = "bad_settings"


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server listens, for whom, and where it keeps its data."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond this machine only with users, origins and TLS."""
    port: int = 8787
    """Port; 0 picks a free one."""
    origins: tuple[str, ...] = ()
    """Addresses under which people open the dashboards, such as `https://heartline.example.com`."""
    tls_certificate: str | None = None
    """File with the certificate chain."""
    tls_key: str | None = None
    """File with its private key."""
    insecure_listen: bool = False
    """Listen beyond this machine without TLS, behind a proxy that ends it."""
    drain_s: int = 60
    """Longest time that a server that is told to stop waits for calls that cannot go on in the
    next one."""
    data: str = "heartline-data"
    """Folder of the database."""
    database: str | None = None
    """PostgreSQL by URL (`postgresql+psycopg://user:password@host/name`); the folder's SQLite
    file when it is not set."""

    @property
    def where(self) -> Path | str:
        """What `open_database` takes."""
        return self.database or Path(self.data) / "heartline.db"

    def check(self, *, has_users: bool) -> None:
        """Refuse to be reached by others before they can be told apart.

        Raises:
            SettingsError: the address is open to other machines and something is missing.
        """
        bad = [origin for origin in self.origins if not _ORIGIN.fullmatch(origin)]
        if bad:
            raise SettingsError(
                f"server.origins: '{bad[0]}' is not an address like https://heartline.example.com."
            )
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise SettingsError("server.tls_certificate and server.tls_key go together.")
        local = self.host in ("127.0.0.1", "::1", "localhost")
        if local and not self.origins:
            return
        if not has_users:
            raise SettingsError(
                f"server.host = {self.host} with server.origins lets other machines in, so there "
                "must be users first; add one with `heartline users add`."
            )
        if not self.origins:
            raise SettingsError(
                f"server.host = {self.host} lets other machines in; set server.origins to the "
                "addresses that people open, such as https://heartline.example.com."
            )
        if not local and not self.tls_certificate and not self.insecure_listen:
            raise SettingsError(
                f"server.host = {self.host} lets other machines in without TLS; set "
                "server.tls_certificate and server.tls_key, or server.insecure_listen behind a "
                "proxy that ends TLS."
            )


class TeamSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One team, for roll-ups."""

    agents: tuple[str, ...] = ()
    """Names of its agents, as calls carry them."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    retention: RetentionSettings = RetentionSettings()
    ingest: IngestSettings = IngestSettings()
    audio: AudioSettings = AudioSettings()
    asr: AsrSettings = AsrSettings()
    prosody: ProsodySettings = ProsodySettings()
    conversation: ConversationSettings = ConversationSettings()
    rules: RulesSettings = RulesSettings()
    capture: CaptureSettings = CaptureSettings()
    experiment: ExperimentSettings = ExperimentSettings()
    contact_lens: ContactLensSettings = ContactLensSettings()
    oidc: OidcSettings = OidcSettings()
    webhooks: WebhookSettings = WebhookSettings()
    promises: PromiseSettings = PromiseSettings()
    log: LogSettings = LogSettings()
    teams: dict[str, TeamSettings] = {}
    """Teams for roll-ups: `[teams.billing]` with `agents = ["ana", "bo"]`."""

    @property
    def hearing(self) -> HearingSettings:
        """The part that a call's session needs."""
        return HearingSettings(
            audio=self.audio,
            asr=self.asr,
            prosody=self.prosody,
            conversation=self.conversation,
            rules=self.rules,
            capture=self.capture,
            experiment=self.experiment,
        )


def load_settings(
    file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings of one run.

    Args:
        file: the settings file; None reads `heartline.toml` where there is one.
        environment: the process's variables.
        flags: dotted keys that were given on the command line; None values were not given.

    Raises:
        SettingsError: the file cannot be read, or a key or value is wrong.
    """
    table: dict[str, Any] = {}
    name = str(file or DEFAULT_FILE)
    if file is not None or DEFAULT_FILE.is_file():
        table = _read(Path(name))
        _convert(table, name)
    for variable, text in sorted(environment.items()):
        if variable.startswith(_PREFIX) and variable not in _NOT_SETTINGS:
            _set(table, variable.removeprefix(_PREFIX).lower().replace("__", "."), _value(text))
            _convert(table, f"The environment variable {variable}")
    for key, value in (flags or {}).items():
        if value is not None:
            _set(table, key, value)
    return _convert(table, "The command line")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(table: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        table = table.setdefault(section, {})
    table[last] = value


def _convert(table: dict[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(table, type=Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {_explain(str(error), table)}") from error


def _explain(message: str, table: dict[str, Any]) -> str:
    """Turn msgspec's words into a sentence with the key, the value and the remedy."""
    what, _, place = message.partition(" - at ")
    keys = [key for key in place.strip("`").removeprefix("$").split(".") if key]
    unknown = re.search(r"unknown field `(.+?)`", what)
    if unknown is None:
        value: Any = table
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return f"{'.'.join(keys)} = {value!r} cannot be used ({what[0].lower()}{what[1:]})."
    known = _known_keys(keys)
    key = ".".join([*keys, unknown[1]])
    near = difflib.get_close_matches(unknown[1], known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}."
    return f"there is no setting {key}; {hint}"


def _known_keys(keys: list[str]) -> list[str]:
    node: Any = Settings()
    for key in keys:
        node = getattr(node, key, None)
    return list(getattr(node, "__struct_fields__", ()))
