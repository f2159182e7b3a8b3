"""Regenerate the sample call: `python -m bench.sample_call`; needs the extra `sample`."""

from __future__ import annotations

import argparse
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from audio.g711 import MULAW_TABLE, encode_mulaw
from bench.sample_call.voices import RATE_HZ, Samples, Voices, levels_db, raise_voice, word_bounds

OUT_HZ = 8_000
PARTIES = ("agent", "customer")
_BACKCHANNEL_DB = -4.0
_INTERRUPTION_DB = 3.0
_NOISE_DB = -62.0
_FADE = RATE_HZ * 40 // 1000
_SHIPPED = Path(__file__).parents[2] / "server" / "sample"


def main() -> None:
    """Read the script, make the audio and the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=_SHIPPED)
    folder: Path = parser.parse_args().out
    script = tomllib.loads((_SHIPPED / "script.toml").read_text("utf-8"))
    clips = _speak(script)
    placed = _place(script["turn"], clips)
    audio = _line(placed)
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "call.flac", audio, OUT_HZ, subtype="PCM_16")
    truth = _truth(placed, len(audio))
    truth["sha256"] = hashlib.sha256((folder / "call.flac").read_bytes()).hexdigest()
    truth["voices"] = script["voices"]
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", "utf-8")
    print(f"{truth['duration_ms'] / 1000:.1f} s, {(folder / 'call.flac').stat().st_size} bytes")


def _speak(script: dict[str, Any]) -> dict[str, Samples]:
    voices = Voices()
    clips = {}
    for i, turn in enumerate(script["turn"], 1):
        print(f"\rspeaking {i} of {len(script['turn'])}", end="", flush=True)
        clip = voices.say(
            turn["text"], script["voices"][turn["who"]], script["speeds"][turn["who"]]
        )
        clip = clip * 0.08 / np.sqrt(np.mean(np.square(clip)))
        if turn.get("raised"):
            clip = raise_voice(clip)
        clips[turn["id"]] = clip
    print()
    return clips


def _place(turns: list[dict[str, Any]], clips: dict[str, Samples]) -> list[dict[str, Any]]:
    """Give every turn its first sample (24 kHz), its clip and its words."""
    placed: dict[str, dict[str, Any]] = {}
    now = 0
    for turn in turns:
        clip = clips[turn["id"]]
        item = {**turn, "clip": clip, "words": word_bounds(turn["text"], clip)}
        label = turn.get("label")
        if "over" in turn:
            other = placed[turn["over"]]
            item["first"] = other["first"] + other["words"][turn["words_after"]][1]
            if label == "successful":
                _cut(other, item["first"] + RATE_HZ * turn["yield_ms"] // 1000)
                item["clip"] = clip * 10 ** (_INTERRUPTION_DB / 20)
                now = item["first"] + len(clip)
            elif label == "butting_in":
                _cut(item, item["first"] + RATE_HZ * turn["yield_ms"] // 1000)
            else:
                item["clip"] = clip * 10 ** (_BACKCHANNEL_DB / 20)
        elif "with" in turn:
            other = placed[turn["with"]]
            item["first"] = other["first"] + RATE_HZ * turn["offset_ms"] // 1000
        else:
            item["first"] = now + RATE_HZ * turn["gap_ms"] // 1000
            now = item["first"] + len(clip)
        placed[turn["id"]] = item
    return list(placed.values())


def _cut(item: dict[str, Any], at: int) -> None:
    """End a clip at the word edge nearest to `at`, with a fade of 40 ms."""
    edges = [end for _, _, end in item["words"]]
    end = min(edges, key=lambda edge: abs(item["first"] + edge - at))
    clip = item["clip"][:end].copy()
    clip[-_FADE:] *= np.linspace(1, 0, min(_FADE, len(clip)))
    item["clip"] = clip
    item["words"] = [word for word in item["words"] if word[2] <= end]


def _line(placed: list[dict[str, Any]]) -> Samples:
    """Mix, band-limit to 300-3400 Hz, add line noise, pass through mu-law; shape (n, 2)."""
    length = max(item["first"] + len(item["clip"]) for item in placed) + RATE_HZ
    channels = []
    random = np.random.default_rng(20261124)
    for party in PARTIES:
        mix = np.zeros(length)
        for item in placed:
            if item["who"] == party:
                mix[item["first"] : item["first"] + len(item["clip"])] += item["clip"]
        spectrum = np.fft.rfft(mix)
        frequency = np.fft.rfftfreq(length, 1 / RATE_HZ)
        rise = np.clip((frequency - 250) / 100, 0, 1) * np.clip((3_500 - frequency) / 150, 0, 1)
        narrow = soxr.resample(np.fft.irfft(spectrum * rise, length), RATE_HZ, OUT_HZ)
        narrow = narrow + random.normal(0, 10 ** (_NOISE_DB / 20), len(narrow))
        coded = np.frombuffer(encode_mulaw(narrow.astype(np.float32)), dtype=np.uint8)
        channels.append(MULAW_TABLE[coded] / 32768.0)
    return np.stack(channels, axis=1)


def _ms(samples: int) -> int:
    return round(samples * 1000 / RATE_HZ)


def _truth(placed: list[dict[str, Any]], length: int) -> dict[str, Any]:
    speech: dict[str, list[list[int]]] = {
        party: [span for item in placed if item["who"] == party for span in _speech(item)]
        for party in PARTIES
    }
    for spans in speech.values():
        spans.sort()
    by_id = {item["id"]: item for item in placed}
    overlaps = []
    for item in placed:
        if "label" not in item:
            continue
        other = _other(item, placed, by_id)
        begin = max(item["first"], other["first"])
        end = min(item["first"] + len(item["clip"]), other["first"] + len(other["clip"]))
        stops = item["label"] == "successful"
        overlaps.append(
            {
                "id": item["id"],
                "by": item["who"],
                "over": other["who"],
                "class": item["label"],
                "begin_ms": _ms(item["first"]),
                "end_ms": _ms(end),
                "overlap_ms": _ms(end - begin),
                "yield_ms": _ms(end - item["first"]) if stops else None,
            }
        )
    return {
        "sample_rate_hz": OUT_HZ,
        "duration_ms": length * 1000 // OUT_HZ,
        "speech": speech,
        "turns": [
            {
                "id": item["id"],
                "channel": item["who"],
                "text": " ".join(word for word, _, _ in item["words"]),
                "begin_ms": _ms(item["first"]),
                "end_ms": _ms(item["first"] + len(item["clip"])),
                "words": [
                    [word, _ms(item["first"] + begin), _ms(item["first"] + end)]
                    for word, begin, end in item["words"]
                ],
            }
            for item in sorted(placed, key=lambda item: item["first"])
        ],
        "overlaps": sorted(overlaps, key=lambda overlap: overlap["begin_ms"]),
        "raised_voice": [
            {
                "channel": item["who"],
                "begin_ms": _ms(item["first"]),
                "end_ms": _ms(item["first"] + len(item["clip"])),
            }
            for item in placed
            if item.get("raised")
        ],
        "card_number": "4539148803436467",
    }


def _other(
    item: dict[str, Any], placed: list[dict[str, Any]], by_id: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    if "over" in item or "with" in item:
        return by_id[item.get("over") or item["with"]]
    earlier = [p for p in placed if p["who"] != item["who"] and p["first"] < item["first"]]
    return max(earlier, key=lambda p: p["first"] + len(p["clip"]))


def _speech(item: dict[str, Any]) -> list[list[int]]:
    """True speech of the clean clip: 10 ms steps within 35 dB of its loudest, holes to 180 ms."""
    levels = levels_db(item["clip"])
    spans: list[list[int]] = []
    for step in np.flatnonzero(levels > levels.max() - 35):
        begin = _ms(item["first"]) + int(step) * 10
        if spans and begin - spans[-1][1] <= 180:
            spans[-1][1] = begin + 10
        else:
            spans.append([begin, begin + 10])
    return spans


if __name__ == "__main__":
    main()
