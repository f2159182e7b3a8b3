"""What the agent or the company said it would do: what, who, and by when (`coaching.md` section 5).

A promise is told once: the same thing by the same party within a call is one promise, and the
later due time wins, told again under the same id. A time that follows in the agent's next words
belongs to the promise before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from conversation.due import Due, DueReader
from conversation.events import (
    ActDetected,
    CallStarted,
    Channel,
    FinalTranscript,
    PromiseMade,
)
from conversation.phrases import Phrasebook, similarity
from conversation.time_words import load_time_words

SAME_PROMISE = 0.6
"""Cosine of content words from which two promises by one party are the same (our choice)."""
TIME_FOLLOWS_MS = 5_000
"""A time this long after a promise may still be its own (`coaching.md`, vague_time)."""
WHAT_WORDS = 14
"""Longest wording of what was promised."""
_EXACTNESS = {"none": 0, "vague": 1, "range": 2, "day": 3, "minute": 4}


class TimeZoneError(ValueError):
    """The setting names a time zone that is not known."""

    code = "bad_time_zone"


class PromiseTracker:
    """Turns the promise acts of one call into promises.

    Raises:
        TimeZoneError: `time_zone` names no zone.
    """

    def __init__(self, phrases: Phrasebook, locale: str = "en", time_zone: str = "") -> None:
        self._phrases = phrases
        self._lexicon = load_time_words(locale)
        self._reader = None if self._lexicon is None else DueReader(self._lexicon)
        self._zone = _zone(time_zone)
        self._started: datetime | None = None
        self._promises: list[PromiseMade] = []
        self._last_end_ms = -1

    def start(self, started: CallStarted) -> None:
        """Take the wall time that due times count from; without it they stay unknown."""
        try:
            wall = datetime.fromisoformat(started.started_at)
        except ValueError:
            return
        if wall.tzinfo is not None:
            self._started = wall if self._zone is None else wall.astimezone(self._zone)

    def observe(self, final: FinalTranscript, acts: Sequence[ActDetected]) -> list[PromiseMade]:
        """Return the promises of the agent's final words, new ones and ones with a new time."""
        if final.channel is not Channel.AGENT or not final.text:
            return []
        words = final.text.split()
        made = [act for act in acts if act.kind == "promise"]
        out = []
        for act in _sentences(made, words, final):
            promise = self._promise(act[0], act[1], final, words)
            told = self._merge(promise)
            if told is not None:
                out.append(told)
        if not made:
            late = self._late_time(final, words, acts)
            if late is not None:
                out.append(late)
        if out or made:
            self._last_end_ms = final.end_ms
        return out

    # ------------------------------------------------------------------ one promise

    def _promise(
        self, act: ActDetected, span: tuple[int, int], final: FinalTranscript, words: list[str]
    ) -> PromiseMade:
        begin, end = span
        sentence = words[begin:end]
        due = self._due(sentence, final.end_ms)
        what, who = self._what_and_who(sentence, due)
        return PromiseMade(
            at_ms=final.at_ms,
            id=f"promise-{len(self._promises) + 1}",
            text=_clean(sentence),
            what=what,
            who=who,
            due=None if due is None else _clean(sentence[due.start : due.end]),
            due_at=None if due is None or due.at is None else due.at.isoformat(),
            precision="none" if due is None else due.precision,
            confidence=act.confidence,
            start_ms=act.start_ms,
        )

    def _due(self, words: Sequence[str], said_ms: int) -> Due | None:
        if self._reader is None or self._started is None:
            return None
        said_at = self._started + timedelta(milliseconds=said_ms)
        return self._reader.find(words, said_at)

    def _what_and_who(self, sentence: Sequence[str], due: Due | None) -> tuple[str, str]:
        lexicon = self._lexicon
        bare = [w.lower().replace("\u2019", "'").strip(" ,.;:!?") for w in sentence]
        if lexicon is None:
            return _clean(sentence), "company"
        me, team = lexicon.actors["me"].split(), lexicon.actors["team"].split()
        head = bare[:4]
        who = "team" if any(w in team for w in head) else "company"
        if who == "company" and any(w in me for w in head):
            who = "me"
        begin = _after_the_subject(bare, lexicon.promise["auxiliaries"])
        end = len(sentence)
        if due is not None and due.start > begin:
            end = due.start
        what = _clean(sentence[begin : min(end, begin + WHAT_WORDS)])
        return what or _clean(sentence), who

    # ------------------------------------------------------------------ one of several

    def _merge(self, promise: PromiseMade) -> PromiseMade | None:
        content = self._phrases.content_words(promise.what.split())
        for index, known in enumerate(self._promises):
            before = self._phrases.content_words(known.what.split())
            if known.who != promise.who or similarity(content, before) < SAME_PROMISE:
                continue
            if _EXACTNESS[promise.precision] == 0 or promise.due_at == known.due_at:
                return None
            self._promises[index] = msgspec.structs.replace(
                promise, id=known.id, what=known.what, start_ms=known.start_ms
            )
            return self._promises[index]
        self._promises.append(promise)
        return promise

    def _late_time(
        self, final: FinalTranscript, words: list[str], acts: Sequence[ActDetected]
    ) -> PromiseMade | None:
        """Give the newest promise a time that came in the words after it."""
        times = any(act.kind in ("specific_time", "vague_time") for act in acts)
        if not self._promises or not times:
            return None
        last = self._promises[-1]
        if final.start_ms - self._last_end_ms > TIME_FOLLOWS_MS:
            return None
        due = self._due(words, final.end_ms)
        if due is None or _EXACTNESS[due.precision] <= _EXACTNESS[last.precision]:
            return None
        self._promises[-1] = msgspec.structs.replace(
            last,
            at_ms=final.at_ms,
            due=_clean(words[due.start : due.end]),
            due_at=None if due.at is None else due.at.isoformat(),
            precision=due.precision,
        )
        return self._promises[-1]


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise TimeZoneError(
            f"conversation.time_zone = {name!r} is no zone that this machine knows; "
            "use an IANA name such as Europe/Paris."
        ) from error


def _sentences(
    acts: Sequence[ActDetected], words: list[str], final: FinalTranscript
) -> list[tuple[ActDetected, tuple[int, int]]]:
    """Return each promise act with the words from its start to the end of its sentence."""
    starts = _starts(acts, words, final)
    out = []
    for number, (act, begin) in enumerate(zip(acts, starts, strict=True)):
        limit = min((s for s in starts[number + 1 :] if s > begin), default=len(words))
        end = begin
        while end < limit:
            end += 1
            if re.search(r"[.?!]['\")]*$", words[end - 1]):
                break
        if end > begin:
            out.append((act, (begin, end)))
    return out


def _starts(acts: Sequence[ActDetected], words: list[str], final: FinalTranscript) -> list[int]:
    starts = []
    for act in acts:
        if len(final.words) == len(words):
            starts.append(
                min(range(len(words)), key=lambda i: abs(final.words[i].start_ms - act.start_ms))
            )
        else:
            spoken, wanted = [w.strip(" ,.;:") for w in words], act.text.split()
            starts.append(
                next(
                    (
                        i
                        for i in range(len(words))
                        if spoken[i : i + 3] == [w.strip(" ,.;:") for w in wanted[:3]]
                    ),
                    0,
                )
            )
    return starts


def _after_the_subject(words: Sequence[str], auxiliaries: Sequence[str]) -> int:
    """Return where the verb phrase begins: after the subject and its auxiliaries."""
    for index, word in enumerate(words[:6]):
        if word.endswith(("'ll", "'m", "'re")) or word in auxiliaries:
            end = index + 1
            while end < len(words) and words[end] in auxiliaries:
                end += 1
            return end if end < len(words) else 0
    return 0


def _clean(words: Sequence[str]) -> str:
    return " ".join(words).strip(" ,.;:!?")
