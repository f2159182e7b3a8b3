"""A report in the two shapes of Amazon Connect Contact Lens: real-time segments, post-call file.

Sentiment is required there for every utterance. Where no text model has made one, it is NEUTRAL;
none is ever made from the agent's voice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from conversation.events import Channel
from reports.exports.facts import INTERRUPTING, counted
from reports.model import CuePart, Report, TranscriptPart
from reports.spans import subtract, total_ms, union

VERSION = "1.1.0"
_UNKNOWN_SENTIMENT = "NEUTRAL"
_SHORTEST_NON_TALK_MS = 3_000
"""Contact Lens lists silences longer than 3 s as non-talk time."""


def segments(report: Report) -> list[dict[str, Any]]:
    """Return the call as real-time segments in stream order; cues are categories."""
    timed = [(part.end_ms, 0, {"Transcript": _transcript(part)}) for part in _spoken(report)]
    timed += [(cue.raised_ms, 1, {"Categories": _category(cue)}) for cue in report.cues]
    return [segment for _, _, segment in sorted(timed, key=lambda entry: entry[:2])]


def real_time(report: Report) -> bytes:
    """Write all segments as one answer of `ListRealtimeContactAnalysisSegments`."""
    return _json({"Segments": segments(report)})


def post_call(report: Report) -> bytes:
    """Write the post-call analysis file, version 1.1.0."""
    parties = [c for c in report.call.channels if c is not Channel.MIXED]
    return _json(
        {
            "Version": VERSION,
            "Channel": "VOICE",
            "JobStatus": "COMPLETED",
            "LanguageCode": report.call.language,
            "CustomerMetadata": {"ContactId": report.call.id},
            "Participants": [
                {"ParticipantId": party.upper(), "ParticipantRole": party.upper()}
                for party in parties
            ],
            "Categories": _all_categories(report),
            "Transcript": [
                {
                    "Id": part.id,
                    "ParticipantId": part.channel.upper(),
                    "Content": part.text,
                    "BeginOffsetMillis": part.start_ms,
                    "EndOffsetMillis": part.end_ms,
                    "Sentiment": _UNKNOWN_SENTIMENT,
                }
                for part in _spoken(report)
            ],
            "ConversationCharacteristics": _characteristics(report, parties),
        }
    )


def _spoken(report: Report) -> list[TranscriptPart]:
    return [part for part in report.transcript if part.text]


def _transcript(part: TranscriptPart) -> dict[str, Any]:
    role = part.channel.upper()
    return {
        "Id": part.id,
        "ParticipantId": role,
        "ParticipantRole": role,
        "Content": part.text,
        "BeginOffsetMillis": part.start_ms,
        "EndOffsetMillis": part.end_ms,
        "Sentiment": _UNKNOWN_SENTIMENT,
    }


def _points(cue: CuePart) -> dict[str, int]:
    end_ms = cue.raised_ms if cue.cleared_ms is None else cue.cleared_ms
    return {"BeginOffsetMillis": cue.raised_ms, "EndOffsetMillis": end_ms}


def _category(cue: CuePart) -> dict[str, Any]:
    return {
        "MatchedCategories": [cue.rule],
        "MatchedDetails": {cue.rule: {"PointsOfInterest": [_points(cue)]}},
    }


def _all_categories(report: Report) -> dict[str, Any]:
    details: defaultdict[str, list[dict[str, int]]] = defaultdict(list)
    for cue in report.cues:
        details[cue.rule].append(_points(cue))
    return {
        "MatchedCategories": sorted(details),
        "MatchedDetails": {
            rule: {"PointsOfInterest": points} for rule, points in sorted(details.items())
        },
    }


def _characteristics(report: Report, parties: Sequence[Channel]) -> dict[str, Any]:
    found: dict[str, Any] = {"TotalConversationDurationMillis": report.call.duration_ms}
    speech = {
        party: total_ms(union((s.begin_ms, s.end_ms) for s in report.speech if s.channel is party))
        for party in parties
    }
    everyone = union((s.begin_ms, s.end_ms) for s in report.speech)
    found["TalkTime"] = {
        "TotalTimeMillis": total_ms(everyone),
        "DetailsByParticipant": {
            party.upper(): {"TotalTimeMillis": ms} for party, ms in speech.items()
        },
    }
    unknown = [(int(gap["begin_ms"]), int(gap["end_ms"])) for gap in report.quality.gaps]
    quiet = subtract([(0, report.call.duration_ms)], union([*everyone, *unknown]))
    long = [(begin, end) for begin, end in quiet if end - begin > _SHORTEST_NON_TALK_MS]
    found["NonTalkTime"] = {
        "TotalTimeMillis": total_ms(long),
        "Instances": [_instance(begin, end) for begin, end in long],
    }
    paces = {party: report.talk.words_per_minute.get(party) for party in parties}
    found["TalkSpeed"] = {
        "DetailsByParticipant": {
            party.upper(): {"AverageWordsPerMinute": round(pace)}
            for party, pace in paces.items()
            if pace is not None
        }
    }
    if report.quality.direction_known:
        found["Interruptions"] = _interruptions(report, parties)
    return found


def _interruptions(report: Report, parties: Sequence[Channel]) -> dict[str, Any]:
    events = [event for event in counted(report) if event.overlap_class in INTERRUPTING]
    by = {party: [event for event in events if event.by is party] for party in parties}
    return {
        "TotalCount": len(events),
        "TotalTimeMillis": sum(event.overlap_ms for event in events),
        "InterruptionsByInterrupter": {
            party.upper(): [_instance(e.begin_ms, e.end_ms) for e in found]
            for party, found in by.items()
            if found
        },
    }


def _instance(begin_ms: int, end_ms: int) -> dict[str, int]:
    return {
        "BeginOffsetMillis": begin_ms,
        "DurationMillis": end_ms - begin_ms,
        "EndOffsetMillis": end_ms,
    }


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
