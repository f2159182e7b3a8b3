"""Opens calls: new ones on loaded models, and those whose process died from their journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from conversation.events import CallStarted, Channel, Event
from server.call_metadata import known_before
from server.hearing import Hearing, read_hotwords
from server.session import CallSession, Clock


def open_session(
    *,
    call_id: str,
    channels: tuple[Channel, ...],
    sample_rate_hz: int,
    source: str,
    started_at: str,
    hearing: Hearing,
    agent: str | None = None,
    vendor_id: str | None = None,
    roles: Mapping[str, Channel] | None = None,
    metadata: Mapping[str, str] | None = None,
    clock: Clock = Clock.LIVE,
    look_ahead_ms: int = 0,
    hotwords: tuple[str, ...] = (),
    arm: str = "shown",
    muted_rules: tuple[str, ...] = (),
    journal: Callable[[], Iterable[Event]] | None = None,
) -> CallSession:
    """Open a call on loaded models; `started_at` is wall time in ISO 8601 with offset.

    On the virtual clock the audio may run `look_ahead_ms` ahead of the words, which costs nothing
    but that events come later. `hotwords` are names and terms of this call, most important first.
    Of the source's `metadata` the core reads `customer_name`, `loyal_customer` (`true` or `false`)
    and `usual_words_per_minute`, the agent's own.
    """
    settings = hearing.settings
    rules = hearing.rules.current()
    started = CallStarted(
        at_ms=0,
        call_id=call_id,
        started_at=started_at,
        channels=channels,
        source=source,
        agent=agent,
        vendor_id=vendor_id,
        roles=dict(roles or {}),
        metadata=dict(metadata or {}),
        language=settings.asr.language,
        model=settings.asr.model if hearing.transcribes else None,
        settings=msgspec.to_builtins(settings.conversation),
        rules=rules.tables,
        language_overlay=rules.overlay,
        rules_sha256=rules.sha256,
        arm=arm,
        muted_rules=muted_rules,
        **known_before(metadata or {}),
    )
    return CallSession(
        started,
        sample_rate_hz,
        hearing,
        hearing.transcriber_for(call_id),
        clock=clock,
        look_ahead_ms=look_ahead_ms,
        hotwords=hotwords,
        journal=journal,
    )


def reopen_session(
    events: Sequence[Event],
    sample_rate_hz: int,
    hearing: Hearing,
    position_ms: int,
    journal: Callable[[], Iterable[Event]] | None = None,
) -> CallSession:
    """Open a call that another process has heard up to `position_ms`, from its journal.

    Raises:
        ValueError: these are not the events of a call.
        RuleError, PackError: what was recorded is not valid here.
    """
    if not events or not isinstance(events[0], CallStarted):
        raise ValueError("The journal of a call begins with its start.")
    started = events[0]
    session = CallSession(
        started,
        sample_rate_hz,
        hearing,
        hearing.transcriber_for(started.call_id),
        hotwords=read_hotwords(started.metadata),
        journal=journal,
    )
    newest_ms = max(event.at_ms for event in events)
    session.take_up(events, max(position_ms, newest_ms))
    return session
