"""Planted card and account numbers are nowhere: database, log of it, sockets, logs, exports."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from asr.jobs import Job, JobKind, JobResult
from asr.settings import AsrSettings
from conversation.events import Channel, EventLog, Word
from conversation.spoken_digits import digit_runs
from server.analyze import write_outputs
from server.hearing import Hearing, HearingSettings
from server.runner import Running, running_server
from tests.server.test_app import event_socket, open_call, request, send_audio, sign_in, stop

pytestmark = [pytest.mark.server, pytest.mark.model]
CARD, ACCOUNT = "4539148803436467", "73918264"
DIGITS = "zero one two three four five six seven eight nine".split()
SAYS = {
    Channel.AGENT: cycle(
        ["can I have the long number on the card please", "and the account number"]
    ),
    Channel.CUSTOMER: cycle(
        [
            "it is " + " ".join(DIGITS[int(d)] for d in CARD[:8]),
            " ".join(DIGITS[int(d)] for d in CARD[8:]) + " yes",
            "so 4539 1488 0343 6467, did you get that",
            "my account number is " + " ".join(DIGITS[int(d)] for d in ACCOUNT),
            f"the account is {ACCOUNT} as I said",
        ]
    ),
}


class PlantedWords:
    """Answers every decode with the next planted sentence of its channel."""

    def __init__(self) -> None:
        self._results: list[JobResult] = []
        self._of: dict[str, str] = {}

    def submit(self, job: Job) -> None:
        if job.utterance_id not in self._of:
            self._of[job.utterance_id] = next(SAYS[job.channel])
        texts = self._of[job.utterance_id].split()
        length_ms = max(1, job.audio_end_ms - job.start_ms)
        if job.kind is JobKind.PARTIAL:
            texts = texts[: max(1, length_ms // 250)]
        step = length_ms / len(texts)
        words = tuple(
            Word(text=text, start_ms=round(job.start_ms + i * step),
                 end_ms=round(job.start_ms + (i + 1) * step), probability=0.9)
            for i, text in enumerate(texts)
        )  # fmt: skip
        self._results.append(
            JobResult(job_id=job.job_id, kind=job.kind, channel=job.channel,
                      utterance_id=job.utterance_id, text=" ".join(texts), words=words)
        )  # fmt: skip

    def poll(self, timeout_s: float) -> list[JobResult]:
        results, self._results = self._results, []
        return results

    @property
    def pending(self) -> int:
        return len(self._results)

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    settings = HearingSettings(asr=AsrSettings(hop_ms=500))
    with (
        Hearing(settings, transcriber=PlantedWords()) as hearing,
        running_server(hearing, tmp_path / "heartline.db") as running,
    ):
        yield running


def leaks(data: bytes) -> list[str]:
    """Return what of the planted numbers can be read in bytes, written in any way."""
    text = data.decode("utf-8", "replace").lower()
    bare = re.sub(r"[^0-9a-z]", "", text)
    found = []
    for number in (CARD, ACCOUNT):
        for at in range(len(number) - 3):
            part = number[at : at + 4]
            spoken = "".join(DIGITS[int(d)] for d in part)
            if spoken in bare:
                found.append(spoken)
        if number in bare or any(number[i : i + 6] in bare for i in range(len(number) - 5)):
            found.append(number)
    for run in digit_runs(re.sub(r"[^0-9a-z ]", " ", text).split(), False):
        if any(CARD[i : i + 8] in r for r in run.readings for i in range(9)):
            found.append(run.readings[0])
    return found


def test_the_search_itself_finds_what_is_there() -> None:
    assert leaks(b"x four five three nine y")
    assert leaks(b'{"text": "4539 1488"}')
    assert leaks(b"a 73918264 b")
    assert not leaks(b"[card] at 10.5 s, 1234567")


def test_no_byte_of_a_planted_number_is_kept_sent_logged_or_exported(
    server: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = b""
    with (
        open_call(server, call_id="canary") as (socket, _),
        event_socket(server, "canary") as panel,
    ):
        for begin_ms in range(0, 10_000, 1_000):
            send_audio(socket, begin_ms, begin_ms + 1_000)
        stopped = stop(socket)
        try:
            while True:
                message = panel.recv(timeout=5)
                sent += message.encode() if isinstance(message, str) else message
        except (ConnectionClosed, TimeoutError):
            pass
    events = server.calls.journal.events("canary")
    kinds = {event.__struct_config__.tag for event in events}
    assert {"partial_transcript", "final_transcript"} <= kinds
    assert sum("[card]" in EventLog.encode(e).decode() for e in events) >= 1
    write_outputs(list(events), tmp_path / "out")
    cookie = sign_in(server)
    page = request(server, "GET", "/v1/calls/canary/report.html", **cookie)[2]
    places = {
        "sockets": sent + json.dumps(stopped).encode(),
        "logs": caplog.text.encode(),
        "page": page,
        **{str(path.relative_to(tmp_path)): path.read_bytes()
           for path in tmp_path.rglob("*") if path.is_file()},
    }  # fmt: skip
    assert any(name.endswith("-wal") for name in places), sorted(places)
    assert len(sent) > 1_000
    assert {name: leaks(data) for name, data in places.items() if leaks(data)} == {}
