"""Two-channel calls made by hand: who speaks when, what is heard of it, and what follows."""

from __future__ import annotations

from conversation.conversation import Conversation
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    CueRaised,
    Derived,
    FinalTranscript,
    Observation,
    OverlapEnded,
    PartialTranscript,
    ProsodyFrame,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from conversation.settings import ConversationSettings

AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER


def speech(
    channel: Channel, begin_ms: int, end_ms: int, *, tail_db: float | None = None
) -> list[Observation]:
    return [
        SpeechStarted(at_ms=begin_ms + 96, channel=channel, start_ms=begin_ms, margin=0.45),
        SpeechEnded(
            at_ms=end_ms + 96, channel=channel, start_ms=begin_ms, end_ms=end_ms, tail_db=tail_db
        ),
    ]


def words(channel: Channel, begin_ms: int, end_ms: int, text: str) -> list[Observation]:
    texts = text.split()
    step = (end_ms - begin_ms) / len(texts)
    timed = tuple(
        Word(
            text=word,
            start_ms=round(begin_ms + i * step),
            end_ms=round(begin_ms + (i + 1) * step),
            probability=0.9,
        )
        for i, word in enumerate(texts)
    )
    return [
        FinalTranscript(
            at_ms=end_ms + 750, channel=channel, utterance_id=f"{channel}-{begin_ms}", rev=1,
            start_ms=begin_ms, end_ms=end_ms, text=text, words=timed,
        )
    ]  # fmt: skip


def partials(channel: Channel, begin_ms: int, *heard: tuple[int, str]) -> list[Observation]:
    """What a recogniser has shown of one utterance: up to when, and what; 250 ms later."""
    return [
        PartialTranscript(
            at_ms=end_ms + 250, channel=channel, utterance_id=f"{channel}-{begin_ms}", rev=rev,
            start_ms=begin_ms, audio_end_ms=end_ms, stable="", tail=text, stable_words=0,
        )
        for rev, (end_ms, text) in enumerate(heard)
    ]  # fmt: skip


def level(channel: Channel, begin_ms: int, end_ms: int, delta_db: float) -> list[Observation]:
    return [
        ProsodyFrame(
            at_ms=at_ms + 480, channel=channel, begin_ms=at_ms, end_ms=at_ms + 240, usable_ms=240,
            level_db=-30.0, level_delta_db=delta_db, alpha_db=0.0, slope_db_oct=0.0, f0_st=None,
            f0_delta_st=None, z_tilt=None, score=None, state="ready",
        )
        for at_ms in range(begin_ms, end_ms - 240, 240)
    ]  # fmt: skip


def judge(
    *parts: list[Observation], settings: ConversationSettings | None = None, end_ms: int = 30_000
) -> tuple[list[Derived], list[OverlapEnded]]:
    """Run a call live and after; return all live events, and the settled ones of the last pass."""
    observations = sorted((o for part in parts for o in part), key=lambda o: o.at_ms)
    call: list[Observation] = [
        CallStarted(
            at_ms=0, call_id="c", started_at="2026-01-01T00:00:00+00:00", source="test",
            channels=(AGENT, CUSTOMER),
        ),
        *observations,
        CallEnded(at_ms=end_ms),
    ]  # fmt: skip
    core = Conversation.create(settings or ConversationSettings())
    live = [event for observation in call for event in core.receive(observation)]
    return live, core.final_pass(call)


def classes(settled: list[OverlapEnded]) -> list[tuple[Channel, str]]:
    return [(event.by, event.overlap_class.value) for event in settled]


def talk_over_cues(live: list[Derived]) -> list[int]:
    """When "Let them finish" was shown."""
    return [e.at_ms for e in live if isinstance(e, CueRaised) and e.rule == "talk_over"]
