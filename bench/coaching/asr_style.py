"""Makes written turns look like recognised speech: no case, no punctuation, fillers, errors.

Word errors come at a given rate, substitutions, deletions and insertions 6:3:1, as telephone
recognisers make them: substitutions by sound-alikes where one is listed and by a damaged spelling
otherwise; deletions and insertions of short words only.
"""

from __future__ import annotations

import random
import re

FILLERS = ("um", "uh", "er", "erm", "you know", "like", "i mean", "well", "so", "yeah")
FILLER_RATE = 0.035
RESTART_RATE = 0.02
SHORT = ("the", "a", "and", "to", "of", "it", "is", "in", "i", "that", "on", "for", "so", "you")
SOUND_ALIKES = {
    "to": "two", "too": "to", "two": "to", "for": "four", "four": "for", "there": "their",
    "their": "there", "they're": "there", "your": "you're", "you're": "your", "i'll": "all",
    "i've": "have", "i'm": "am", "we'll": "well", "we're": "were", "were": "where",
    "where": "were", "hear": "here", "here": "hear", "by": "buy", "buy": "by", "week": "weak",
    "right": "write", "write": "right", "no": "know", "know": "no", "then": "than",
    "than": "then", "are": "our", "our": "are", "hour": "our", "an": "and", "and": "in",
    "in": "and", "can't": "can", "don't": "do", "won't": "want", "want": "won't",
    "it's": "its", "its": "it's", "that's": "that", "what's": "what", "sorry": "sari",
    "refund": "re fund", "router": "rooter", "phone": "fone", "call": "cool", "called": "cold",
    "told": "toll", "bill": "bell", "card": "car", "wait": "weight", "waiting": "weighting",
    "mail": "male", "email": "e mail", "be": "bee", "been": "bin", "sent": "cent",
    "see": "sea", "one": "won", "won": "one", "would": "wood", "new": "knew", "knew": "new",
    "through": "threw", "fair": "fare", "break": "brake", "brake": "break", "great": "grate",
    "order": "odor", "parcel": "partial", "line": "lion", "help": "held", "thank": "think",
    "thanks": "thinks", "let": "left", "leave": "live", "minute": "minutes", "check": "cheque",
    "service": "surface", "manager": "manage", "cancel": "council", "complain": "complained",
    "speak": "speech", "morning": "mourning", "friday": "fry day", "back": "bag",
    "bear": "bare", "hold": "old", "with": "which", "this": "these", "these": "this",
    "was": "were", "has": "as", "his": "is", "is": "as", "at": "it", "it": "at", "of": "off",
    "had": "add", "he's": "is", "work": "walk", "working": "walking", "fix": "fixed",
    "pay": "paid", "paid": "pay", "late": "light", "still": "steel", "again": "a gain",
}  # fmt: skip
NUMBERS = {
    "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six",
    "7": "seven", "8": "eight", "9": "nine", "10": "ten", "11": "eleven", "12": "twelve",
    "14": "fourteen", "15": "fifteen", "16": "sixteen", "18": "eighteen", "20": "twenty",
    "24": "twenty four", "30": "thirty", "40": "forty", "50": "fifty", "60": "sixty",
}  # fmt: skip


def as_recognised(text: str, word_error_rate: float, rng: random.Random) -> str:
    """Return `text` as a recogniser might have written it.

    Args:
        text: A written turn.
        word_error_rate: Share of words that come out wrong, 0 to 1.
        rng: Source of every choice, so that a seed gives one corpus.
    """
    words = re.sub(r"[^a-z0-9'£$€%. ]+", " ", text.lower().replace("\u2019", "'")).split()
    words = [w.strip(".'") for w in words]
    words = [NUMBERS.get(w, w) for w in words if w]
    out: list[str] = []
    for word in words:
        if rng.random() < FILLER_RATE:
            out.append(rng.choice(FILLERS))
        if rng.random() < RESTART_RATE:
            out.append(word)
        out.extend(_heard(word, word_error_rate, rng))
    if rng.random() < 0.15:
        out = [w.replace("'", "") for w in out]
    return " ".join(out) or " ".join(words)


def _heard(word: str, word_error_rate: float, rng: random.Random) -> list[str]:
    if rng.random() >= word_error_rate:
        return [word]
    kind = rng.random()
    if kind < 0.6:
        return [SOUND_ALIKES.get(word) or _damaged(word, rng)]
    if kind < 0.9:
        return [] if len(word) <= 4 else [_damaged(word, rng)]
    return [word, rng.choice(SHORT)]


def _damaged(word: str, rng: random.Random) -> str:
    if len(word) <= 2:
        return rng.choice(SHORT)
    endings = ("s", "ed", "ing", "er")
    choice = rng.random()
    if choice < 0.4:
        return word[: max(2, len(word) - rng.randint(1, 2))]
    if choice < 0.7:
        return word + rng.choice(endings)
    return word[1:] if choice < 0.85 else rng.choice(SHORT)
