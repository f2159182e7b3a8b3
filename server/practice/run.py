"""Runs a spoken practice call: offline on the virtual clock, or live with the panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from audio.chunks import AudioChunk, Samples
from conversation.events import Channel, Event
from server.hearing import Hearing
from server.opening import open_session
from server.practice.spoken_call import RATE_HZ, SpokenCall
from server.runner import Running, running_server
from server.session import Clock
from server.stream_client import stream_blocks

_CHANNELS = (Channel.AGENT, Channel.CUSTOMER)


def rehearse_offline(
    call: SpokenCall, hearing: Hearing, *, call_id: str, started_at: str
) -> list[Event]:
    """Run on the virtual clock: the same recorded answers give the same events."""
    session = open_session(
        call_id=call_id,
        channels=_CHANNELS,
        sample_rate_hz=RATE_HZ,
        source="practice",
        started_at=started_at,
        hearing=hearing,
        clock=Clock.VIRTUAL,
    )
    events = session.opening_events()
    for block in call.blocks():
        heard = session.push(block)
        call.hear(heard)
        events += heard
    return events + session.finish()


def rehearse_live(
    call: SpokenCall,
    hearing: Hearing,
    database: Path,
    *,
    play: Callable[[Samples], None],
    started: Callable[[str], None],
    speed: float = 0.0,
) -> list[Event]:
    """Run through an in-process server, so that the panel shows the call as any other.

    Args:
        call: the run.
        hearing: loaded models.
        database: where the call is kept; of no use afterwards.
        play: lets the customer be heard.
        started: told the panel's address.
        speed: 0 where the microphone keeps the pace, 1 for recorded answers in real time.
    """
    with running_server(hearing, database) as server:
        started(server.address)
        call_ids: list[str] = []
        stream_blocks(
            _told(call, server, call_ids, play),
            url=server.ingest_url,
            channels=_CHANNELS,
            sample_rate_hz=RATE_HZ,
            speed=speed,
            on_started=call_ids.append,
        )
        return server.calls.journal.events(call_ids[0])


def _told(
    call: SpokenCall, server: Running, call_ids: list[str], play: Callable[[Samples], None]
) -> Iterator[list[AudioChunk]]:
    """Yield the run's blocks, telling it before each what the server has found by then."""
    known = 0
    for block in call.blocks():
        play(next(chunk.samples for chunk in block if chunk.channel is Channel.CUSTOMER))
        yield block
        events = server.calls.journal.events(call_ids[0])
        call.hear(events[known:])
        known = len(events)
