"""What the server measures of itself: private, in base units, and about nobody.

Assertions: A29, A37.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from audio.chunks import AudioChunk
from conversation.events import AudioGap, Channel, CueRaised, Event
from server.metrics import Metrics
from server.runner import Running
from tests.server.live import close_code, finished, native, send_audio, serving, ticket, until

pytestmark = [pytest.mark.server, pytest.mark.unit]


def scrape(server: Running, key: str | None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    connection.request("GET", "/metrics", headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def values(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_only_a_key_for_reading_or_an_administrator_sees_the_metrics() -> None:
    with serving() as server:
        keys = server.access.keys
        good, other = keys.add("prometheus", ["read"]), keys.add("pbx", ["ingest"])
        assert scrape(server, None)[0] == 401
        assert scrape(server, other)[0] == 401
        assert scrape(server, good[:-1])[0] == 401
        assert scrape(server, good)[0] == 200
        assert scrape(server, server.user.key)[0] == 200
        keys.revoke(good.removeprefix("hl_").partition(".")[0])
        assert scrape(server, good)[0] == 401


def test_a_call_is_counted_and_nothing_of_it_is_named() -> None:
    with serving() as server:
        address = f"ws://127.0.0.1:{server.port}/v1/calls/canary-call/events"
        with (
            native(
                server,
                call_id="canary-call",
                agent="canary-ann",
                metadata={"caller": "canary-4711", "team": "canary-team"},
            ) as (source, _),
            connect(address) as screen,
        ):
            screen.send(json.dumps({"type": "ticket", "ticket": ticket(server)}))
            send_audio(source, 0, 6_000)
            source.send('{"type":"gap","ms":2000,"reason":"loss"}')
            until(lambda: server.calls.running["canary-call"].acked_ms > 0)
            during = values(scrape(server, server.user.key)[1])
            source.send('{"type":"stop"}')
            assert close_code(source) == 1000
        assert finished(server, "canary-call")
        with connect(address) as screen:
            screen.send('{"type":"ticket","ticket":"guess"}')
            assert close_code(screen) == 4401
        text = scrape(server, server.user.key)[1]
        after = values(text)
    assert during["heartline_calls_active", (("adapter", "ingest"),)] == 1
    assert during["heartline_dashboards", (("kind", "call"),)] == 1
    assert after["heartline_ingest_messages_total", (("adapter", "ingest"),)] == 61
    assert after["heartline_ingest_gap_seconds_total", (("reason", "loss"),)] == 4.0
    assert after["heartline_journal_commit_seconds_count", ()] > 0
    assert after["heartline_analysis_lag_seconds_count", ()] > 0
    assert after["heartline_loop_stall_seconds_count", ()] > 0
    assert after["heartline_auth_failures_total", (("surface", "ticket"),)] == 1
    assert "canary" not in text


def test_names_have_the_prefix_and_base_units_and_labels_are_words_of_ours() -> None:
    with serving() as server:
        text = scrape(server, server.user.key)[1]
    families = list(text_string_to_metric_families(text))
    assert len(families) >= 9
    for family in families:
        assert family.name.startswith("heartline_")
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mib|percent)$", family.name)
        for sample in family.samples:
            assert set(sample.labels) <= {
                "adapter", "reason", "rule", "surface", "queue", "kind", "le", "outcome",
            }  # fmt: skip


def test_promtool_has_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    with serving() as server:
        text = scrape(server, server.user.key)[1]
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def chunk(begin_ms: int, end_ms: int) -> AudioChunk:
    samples = np.zeros((end_ms - begin_ms) * 8, np.float32)
    return AudioChunk(
        channel=Channel.AGENT, first_sample=begin_ms * 8, samples=samples, sample_rate_hz=8_000
    )


def test_the_latency_of_a_cue_counts_from_the_audio_of_its_evidence() -> None:
    metrics = Metrics()
    meter = metrics.call("twilio")
    for n in range(10):
        meter.arrived([chunk(n * 100, n * 100 + 100)], 50.0 + n / 10)
    cue = CueRaised(
        at_ms=850, id="c1", rule="let_them_finish", text="Let them finish", priority=1,
        evidence_line="", ttl_ms=1,
    )  # fmt: skip
    gap = AudioGap(at_ms=900, channel=Channel.AGENT, begin_ms=400, end_ms=900, reason="overrun")
    events: list[Event] = [cue, gap]
    meter.published(events, 1_000, began_s=51.0, now_s=51.05)
    seen: dict[Any, float] = values(metrics.text().decode())
    rule = (("rule", "let_them_finish"),)
    assert seen["heartline_cue_latency_seconds_count", rule] == 1
    assert seen["heartline_cue_latency_seconds_sum", rule] == pytest.approx(0.25)
    assert seen["heartline_analysis_lag_seconds_sum", ()] == pytest.approx(0.1)
    assert seen["heartline_journal_commit_seconds_sum", ()] == pytest.approx(0.05)
    assert seen["heartline_ingest_gap_seconds_total", (("reason", "overrun"),)] == 0.5
    assert seen["heartline_dropped_total", (("queue", "audio"),)] == 1
