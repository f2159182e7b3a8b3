"""What the server measures of itself, for Prometheus: `/metrics`.

Names have the prefix `heartline_` and base units. A label is a word of ours or a rule's id, never a
call, a person or anything that was said. Counters and durations are noted where they happen;
everything that can be read off the server's state is read when it is asked for.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import prometheus_client as prometheus
from litestar import Response, get
from litestar.datastructures import State
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from audio.chunks import AudioChunk
from conversation.events import AudioGap, CueRaised, Event
from server.people.roles import Action

PATH = "/metrics"
_PREFIX = "heartline"
_LATENCIES_S = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
"""Around the promises of 300 ms at p95 and 500 ms at p99 (`reliability.md` G4)."""
_COMMITS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)
_LAGS_S = (0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0)
"""With the steps of the shed ladder, 150 and 250 ms."""
_ARRIVALS = 2_048
"""Messages whose arrival is remembered, 40 s of the smallest."""
_LAGS_KEPT = 4_096
"""More than a second of 200 calls has."""
_LAG_OVER_S = 1.0
_AHEAD_MS = 1_000
"""Audio that is further ahead of the clock than this is replayed; nobody waits for its cues."""
_STALL_EVERY_S = 0.1


class Metrics:
    """The measures of one server."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self.auth_failures: Counter[str] = Counter()
        """Refused sign-ins and credentials, by the place where they were shown."""
        self.dropped: Counter[str] = Counter()
        """What a full queue lost, by queue."""
        self.lags_s: deque[tuple[float, float]] = deque(maxlen=_LAGS_KEPT)
        """When audio of live calls was analysed, and how long it had waited, in seconds."""
        self.walls = 0
        """Supervisor walls that are open."""
        self.watch(self._own)
        self._messages = self._counter("ingest_messages", "Messages with audio.", "adapter")
        self._gap_s = self._counter("ingest_gap_seconds", "Audio that is missing.", "reason")
        self._cue_s = self._histogram(
            "cue_latency_seconds", "From the audio of the evidence to the socket.", _LATENCIES_S,
            "rule",
        )  # fmt: skip
        self._lag_s = self._histogram(
            "analysis_lag_seconds", "From the arrival of audio to its analysis.", _LAGS_S
        )
        self._commit_s = self._histogram(
            "journal_commit_seconds", "From events to their commit.", _COMMITS_S
        )
        self._stall_s = self._histogram(
            "loop_stall_seconds", "By how much the event loop was late.", _LAGS_S
        )

    def call(self, adapter: str) -> CallMeter:
        """Return the meter of one call."""
        return CallMeter(self, adapter)

    def watch(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Let something be read each time that the metrics are asked for."""
        self.registry.register(_Watched(read))

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return prometheus.generate_latest(self.registry)

    async def watch_loop(self) -> None:
        """Measure for ever how late the event loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _STALL_EVERY_S
            await asyncio.sleep(_STALL_EVERY_S)
            self._stall_s.observe(max(0.0, loop.time() - due_s))

    def _own(self) -> Iterator[Metric]:
        """Return what is counted in plain numbers here."""
        yield counters("auth_failures", "Refused credentials.", "surface", self.auth_failures)
        yield counters("dropped", "What full queues lost.", "queue", self.dropped)

    def _counter(self, name: str, about: str, label: str) -> prometheus.Counter:
        return prometheus.Counter(f"{_PREFIX}_{name}", about, [label], registry=self.registry)

    def _histogram(
        self, name: str, about: str, buckets: Sequence[float], *labels: str
    ) -> prometheus.Histogram:
        return prometheus.Histogram(
            f"{_PREFIX}_{name}", about, labels, buckets=buckets, registry=self.registry
        )

    def arrived(self, adapter: str) -> None:
        """Count a message with audio."""
        self._messages.labels(adapter).inc()

    def missing(self, gap: AudioGap) -> None:
        """Count what a gap lost."""
        self._gap_s.labels(gap.reason).inc((gap.end_ms - gap.begin_ms) / 1000)
        if gap.reason == "overrun":
            self.dropped["audio"] += 1

    def took(self, *, lag_s: float | None, commit_s: float | None) -> None:
        """Note how long audio waited for its analysis, and events for their commit."""
        if lag_s is not None:
            self._lag_s.observe(lag_s)
        if commit_s is not None:
            self._commit_s.observe(commit_s)

    def lags_of_late(self, now_s: float) -> list[float]:
        """Return how long audio of live calls that was analysed in the last second had waited."""
        while self.lags_s and now_s - self.lags_s[0][0] > _LAG_OVER_S:
            self.lags_s.popleft()
        return [lag_s for _, lag_s in self.lags_s]

    def cue(self, rule: str, latency_s: float) -> None:
        """Note how long after the audio of its evidence a cue went out."""
        self._cue_s.labels(rule).observe(latency_s)


class CallMeter:
    """Measures one call; used on the event loop, whose clock it is given in seconds."""

    def __init__(self, metrics: Metrics, adapter: str) -> None:
        self._metrics = metrics
        self._adapter = adapter
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=_ARRIVALS)
        """Stream time up to which a message reached, and when it came."""
        self._first: tuple[int, float] | None = None
        self._heard_ms = 0

    def arrived(self, items: Sequence[object], now_s: float) -> None:
        """Note a message of the source."""
        ends_ms = [item.end_ms for item in items if isinstance(item, AudioChunk | AudioGap)]
        if ends_ms:
            self._metrics.arrived(self._adapter)
            self._arrivals.append((max(ends_ms), now_s))
            self._first = self._first or self._arrivals[0]

    def published(
        self, events: Sequence[Event], heard_ms: int | None, began_s: float, now_s: float
    ) -> None:
        """Note what went out, analysed at `began_s` and committed since.

        `heard_ms` is the end of the audio that was analysed, None when there was none.
        """
        lag_s: float | None = None
        if heard_ms is not None:
            self._heard_ms = heard_ms
            came_s = self._came_s(heard_ms)
            lag_s = None if came_s is None else began_s - came_s
        if lag_s is not None and self._keeps_pace(heard_ms or 0, began_s):
            self._metrics.lags_s.append((began_s, lag_s))
        self._metrics.took(lag_s=lag_s, commit_s=now_s - began_s if events else None)
        for event in events:
            if isinstance(event, AudioGap):
                self._metrics.missing(event)
            elif isinstance(event, CueRaised):
                came_s = self._came_s(event.at_ms)
                if came_s is not None:
                    self._metrics.cue(event.rule, now_s - came_s)
        while self._arrivals and self._arrivals[0][0] < self._heard_ms - 10_000:
            self._arrivals.popleft()

    def waiting_s(self, now_s: float) -> float:
        """Return for how long the oldest audio has waited that is not analysed yet."""
        came_s = self._came_s(self._heard_ms + 1)
        if came_s is None or not self._keeps_pace(self._heard_ms, now_s):
            return 0.0
        return now_s - came_s

    def _keeps_pace(self, at_ms: int, now_s: float) -> bool:
        """Whether audio comes as it is spoken; a source that replays is far ahead of the clock."""
        if self._first is None:
            return False
        first_ms, first_s = self._first
        return at_ms - first_ms <= (now_s - first_s) * 1_000 + _AHEAD_MS

    def _came_s(self, at_ms: int) -> float | None:
        """When the audio of a moment came; None when that is not remembered."""
        found: float | None = None
        for end_ms, came_s in reversed(self._arrivals):
            if end_ms < at_ms:
                break
            found = came_s
        return found


class _Watched(Collector):
    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()


def gauge(name: str, about: str, value: float) -> Metric:
    """Return one number."""
    return GaugeMetricFamily(f"{_PREFIX}_{name}", about, value=value)


def gauges(name: str, about: str, label: str, values: dict[str, int]) -> Metric:
    """Return a number for each value of a label."""
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", about, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def counters(name: str, about: str, label: str, values: dict[str, int]) -> Metric:
    """Return a count for each value of a label."""
    family = CounterMetricFamily(f"{_PREFIX}_{name}", about, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


@get(
    PATH,
    opt={"action": Action.READ_METRICS, "scope": "read"},
    media_type=prometheus.CONTENT_TYPE_LATEST,
    include_in_schema=False,
    sync_to_thread=True,
)
def metrics_text(state: State) -> Response[bytes]:
    """Return the server's measures in Prometheus's text format."""
    return Response(state.metrics.text(), media_type=prometheus.CONTENT_TYPE_LATEST)
