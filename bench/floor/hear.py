"""From the line to observations: the real front end, and words as a recogniser would give them.

Voice activity, segmentation and bleed are the product's own code on the virtual clock. Words come
from the script, since decoding every call would take hours: for each utterance that the front end
heard partials and a final, when the product would ask for them and as much later as it simulates on
the virtual clock (`asr.utterances`, `AsrSettings`), with 8 % of the words replaced, 4 % lost, and
times moved by 60 ms (standard deviation); where both speak, the figures are doubled. The script's
punctuation is withheld, since a recogniser puts a full stop after cut-offs too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

import audio
from asr.settings import AsrSettings
from audio.bleed import BleedGate
from audio.channel import ChannelFrontEnd
from audio.chunks import AudioChunk
from audio.settings import AudioSettings
from audio.vad import VadStream, VoiceActivity
from bench.floor.line import LINE_HZ, Channels
from bench.floor.script import PARTIES, Script
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    Event,
    EventLog,
    FinalTranscript,
    Observation,
    PartialTranscript,
    SpeechEnded,
    Word,
)
from reports.spans import intersect, union
from server.merge import Merger

_BLOCK_MS = 100
_REPLACED, _LOST, _JITTER_MS = 0.08, 0.04, 60.0
_ASR = AsrSettings()


def front_end_version() -> str:
    """Return a digest of the front end's source, so that what was heard with it can be kept."""
    digest = hashlib.sha256()
    for path in sorted(Path(audio.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def hear(channels: Channels, vad: VoiceActivity) -> list[Event]:
    """Run both channels through the front end in blocks; return its events in order."""
    settings = AudioSettings()
    gate = BleedGate(settings.bleed)
    ends = {
        Channel(party): ChannelFrontEnd(
            Channel(party), LINE_HZ, VadStream(vad), settings=settings, gate=gate
        )
        for party in PARTIES
    }
    merger = Merger()
    block = _BLOCK_MS * LINE_HZ // 1000
    for first in range(0, len(channels["agent"]), block):
        for channel, end in ends.items():
            samples = channels[channel.value][first : first + block]
            merger.add(end.push(AudioChunk(channel, first, samples, LINE_HZ)))
        for end in ends.values():
            merger.add(end.release())
            end.take_audio()
    for end in ends.values():
        merger.add(end.flush())
    for end in ends.values():
        merger.add(end.finish())
    return merger.release(merger.newest_ms)


def kept(path: Path) -> list[Event] | None:
    """Return events that were kept in `path`, None when there are none."""
    if not path.is_file():
        return None
    return [EventLog.decode(line) for line in path.read_bytes().splitlines()]


def keep(path: Path, events: Sequence[Event]) -> None:
    """Keep events in `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(b"".join(EventLog.encode(event) + b"\n" for event in events))
    partial.replace(path)


def observations(script: Script, heard: Sequence[Event], *, words: bool) -> list[Observation]:
    """Return a whole call for the core: what was heard, and with `words` what was understood."""
    merger = Merger()
    merger.add(heard)
    if words:
        for party in PARTIES:
            merger.add(_recognised(script, Channel(party), heard))
    events = [event for event in merger.release(merger.newest_ms) if isinstance(event, Observation)]
    started = CallStarted(
        at_ms=0,
        call_id=f"floor-{script.seed}",
        started_at="2026-01-01T00:00:00+00:00",
        channels=(Channel.AGENT, Channel.CUSTOMER),
        source="bench",
    )
    end_ms = max(script.duration_ms, events[-1].at_ms if events else 0)
    return [started, *events, CallEnded(at_ms=end_ms)]


def _recognised(script: Script, channel: Channel, heard: Sequence[Event]) -> list[Event]:
    random = np.random.default_rng([script.seed, 17, channel is Channel.AGENT])
    said = _said(script, channel, random)
    asked_ms = [begin_ms + _ASR.hint_after_ms for begin_ms in _overlaps(heard)]
    events: list[Event] = []
    for number, spans in enumerate(_utterances(channel, heard)):
        begin_ms, end_ms = spans[0][0], spans[-1][1]
        mine = [w for w in said if begin_ms - 150 <= (w.start_ms + w.end_ms) // 2 < end_ms + 150]
        name = f"{channel}-{number}"
        for rev, known_ms in enumerate(_partial_times(spans, asked_ms)):
            ready = [w.text for w in mine if w.end_ms <= known_ms + 40]
            if not ready:
                continue
            events.append(
                PartialTranscript(
                    at_ms=known_ms + _ASR.simulated_partial_latency_ms,
                    channel=channel,
                    utterance_id=name,
                    rev=rev,
                    start_ms=begin_ms,
                    audio_end_ms=known_ms,
                    stable=" ".join(ready[:-1]),
                    tail=ready[-1],
                    stable_words=len(ready) - 1,
                )
            )
        final_ms = end_ms + _ASR.endpoint_silence_ms + _ASR.simulated_final_latency_ms
        events.append(
            FinalTranscript(
                at_ms=final_ms,
                channel=channel,
                utterance_id=name,
                rev=99,
                start_ms=begin_ms,
                end_ms=end_ms,
                text=" ".join(w.text for w in mine),
                words=tuple(mine),
            )
        )
    return events


def _said(script: Script, channel: Channel, random: np.random.Generator) -> list[Word]:
    """Return the words of one party with the errors of a recogniser."""
    mine, theirs = script.speech(channel.value), script.speech(channel.other.value)
    heard: list[Word] = []
    for item in script.said:
        if item.party != channel.value:
            continue
        for spoken in item.words:
            begin = item.begin_ms + spoken.begin_s * 1000
            end = _speech_end_ms(begin, item.begin_ms + spoken.end_s * 1000, mine)
            crowded = 2 if any(b < end and begin < e for b, e in theirs) else 1
            chance = random.random()
            if chance < _LOST * crowded:
                continue
            wrong = chance < (_LOST + _REPLACED) * crowded
            shift = _JITTER_MS * float(random.standard_normal())
            heard.append(
                Word(
                    text="wreck" if wrong else spoken.text.strip(".,?!"),
                    start_ms=max(0, round(begin + shift)),
                    end_ms=max(1, round(end + shift)),
                    probability=0.9,
                )
            )
    return sorted(heard, key=lambda word: word.start_ms)


def _speech_end_ms(begin_ms: float, end_ms: float, spans: Sequence[tuple[int, int]]) -> float:
    """Return where a word ends in speech: alignment counts a pause to the word before it."""
    inside = [min(end, end_ms) for begin, end in spans if begin < end_ms and end > begin_ms]
    return inside[-1] if inside else end_ms


def _utterances(channel: Channel, heard: Sequence[Event]) -> list[list[tuple[int, int]]]:
    """Chain the heard speech of one channel over pauses shorter than the endpoint."""
    spans = [
        (e.start_ms, e.end_ms) for e in heard if isinstance(e, SpeechEnded) and e.channel is channel
    ]
    chained: list[list[tuple[int, int]]] = []
    for span in spans:
        if chained and span[0] - chained[-1][-1][1] < _ASR.endpoint_silence_ms:
            chained[-1].append(span)
        else:
            chained.append([span])
    return chained


def _overlaps(heard: Sequence[Event]) -> list[int]:
    """Return where speech of both channels begins to be simultaneous."""
    spoken = [
        union(
            (e.start_ms, e.end_ms) for e in heard if isinstance(e, SpeechEnded) and e.channel == p
        )
        for p in PARTIES
    ]
    return [begin_ms for begin_ms, _ in intersect(*spoken)]


def _partial_times(spans: list[tuple[int, int]], asked_ms: Sequence[int]) -> list[int]:
    """Return the ends of the audio of partials, as `asr.utterances` asks for them.

    Every hop since the last one, what was asked for, where speech dips before a pause, and in a
    pause in case it is the end.
    """
    times: list[int] = []
    for begin_ms, end_ms in spans:
        last_ms = begin_ms
        asked = [at_ms for at_ms in sorted(asked_ms) if begin_ms < at_ms < end_ms]
        while (
            next_ms := min([last_ms + _ASR.hop_ms, *(a for a in asked if a > last_ms)])
        ) < end_ms:
            times.append(next_ms)
            last_ms = next_ms
        if end_ms + _ASR.dip_ms - last_ms >= _ASR.agreement_growth_ms:
            times.append(end_ms + _ASR.dip_ms)
    for (_, end_ms), (begin_ms, _) in pairwise(spans):
        if begin_ms - end_ms > _ASR.speculate_after_ms:
            times.append(end_ms + _ASR.speculate_after_ms)
    return sorted(times)
