"""Loaded models that all calls of a process share."""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

import prosody.stage
from asr.jobs import Advice, Job, JobResult, Transcriber
from asr.pool import WorkerPool
from asr.settings import AsrSettings
from audio.settings import AudioSettings
from audio.vad import SpeechProbability, VadStream, VoiceActivity
from conversation.events import Channel
from conversation.settings import ConversationSettings
from prosody.score import Load
from prosody.settings import ProsodySettings
from server.act_model import ActModel, CallScorer, load_act_model
from server.auto_capture import CaptureSettings
from server.experiment import ExperimentSettings
from server.rules_folder import RuleSource, RulesSettings

_HOTWORDS_PER_CALL = 100
_HOTWORD_CHARACTERS = 64


class HearingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of everything between the samples and the core's events."""

    audio: AudioSettings = AudioSettings()
    asr: AsrSettings = AsrSettings()
    prosody: ProsodySettings = ProsodySettings()
    conversation: ConversationSettings = ConversationSettings()
    rules: RulesSettings = RulesSettings()
    capture: CaptureSettings = CaptureSettings()
    experiment: ExperimentSettings = ExperimentSettings()


def read_hotwords(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return a call's own names and terms: `hotwords` of its metadata, separated by commas."""
    words = (word.strip() for word in metadata.get("hotwords", "").split(","))
    return tuple(word[:_HOTWORD_CHARACTERS] for word in words if word)[:_HOTWORDS_PER_CALL]


class Hearing:
    """Voice activity, prosody and recognition, ready to serve calls.

    Constructing loads nothing; `load()` does, and `close()` ends the recogniser's processes.
    Tests pass a `transcriber` or a `vad` of their own.
    """

    def __init__(
        self,
        settings: HearingSettings | None = None,
        *,
        transcriber: Transcriber | None = None,
        vad: VoiceActivity | None = None,
    ) -> None:
        self.settings = settings or HearingSettings()
        self.rules = RuleSource(self.settings.rules, self.settings.conversation.locale)
        """What each new call takes its cue rules from."""
        self._vad = vad or VoiceActivity()
        self._given = transcriber
        self._pool: WorkerPool | None = None
        self._router: _Router | None = None
        self.act_model: ActModel | None = None
        """Scores what was said; None before `load()` and where its encoder is not installed."""
        self.live_calls: weakref.WeakSet[object] = weakref.WeakSet()
        """Live sessions that share this object; they enter and leave by themselves."""
        self.shed_level = 0
        """What is left out while the analysis is behind (`server.shed`); the shell sets it."""

    def load(self, *, wait_for_recogniser_s: float = 60.0) -> None:
        """Load all models.

        Raises:
            AudioError: the voice-activity model is missing or not the one that was reviewed.
            AsrError: the recogniser's model is missing or corrupt, or no worker came up in time.
            ActModelError: a file of the act model is not the one that was reviewed.
            RuleError: the site's cue rules cannot be used.
        """
        self.rules.load()
        self.act_model = load_act_model(self.settings.conversation.locale)
        self._vad.load()
        prosody.stage.warm_up(self.settings.prosody)
        if self._given is not None:
            self._router = _Router(self._given)
        elif self.settings.asr.enabled:
            self._pool = WorkerPool(self.settings.asr)
            self._pool.start()
            self._pool.wait_ready(wait_for_recogniser_s)
            self._router = _Router(self._pool)

    def close(self) -> None:
        """End the recogniser's processes; the object is then unusable."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> Hearing:
        self.load()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def transcribes(self) -> bool:
        """Whether words are recognised at all."""
        return self._router is not None

    @property
    def pool(self) -> WorkerPool | None:
        """The supervised worker processes, when this object started them."""
        return self._pool

    def advice(self, call_id: str, channel: Channel) -> Advice:
        """Return what a channel of a call may ask of the recogniser at present."""
        if self._pool is None:
            return Advice(hop_ms=self.settings.asr.hop_ms)
        return self._pool.advice(call_id, channel)

    @property
    def prosody_load(self) -> Load:
        """How much of the processor the prosody of one live call may have."""
        if self.shed_level:
            return Load.SHED
        many = len(self.live_calls) > self.settings.prosody.many_calls
        return Load.MANY if many else Load.FULL

    def vad_stream(self) -> SpeechProbability:
        """Return a fresh voice-activity stream for one channel."""
        return VadStream(self._vad)

    def score(self, streams: Iterable[SpeechProbability]) -> None:
        """Score the voice activity that waits, of any number of channels and calls, together."""
        self._vad.score([stream for stream in streams if isinstance(stream, VadStream)])

    def act_scorer(self, *, timely: bool) -> CallScorer | None:
        """Return one call's scorer of finals; `timely` lets it shed when it is behind."""
        return None if self.act_model is None else CallScorer(self.act_model, timely=timely)

    def transcriber_for(self, call_id: str) -> Transcriber | None:
        """Return the call's own view of the shared recogniser, or None when there is none."""
        return None if self._router is None else _CallTranscriber(self._router, call_id)


class _Router:
    """Shares one transcriber between calls: job ids carry the call, results go back to it."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, list[JobResult]] = defaultdict(list)

    def submit(self, call_id: str, job: Job) -> None:
        self._transcriber.submit(msgspec.structs.replace(job, job_id=f"{call_id}/{job.job_id}"))

    def poll(self, call_id: str, timeout_s: float) -> list[JobResult]:
        with self._lock:
            timeout_s = 0.0 if self._waiting.get(call_id) else timeout_s
            for result in self._transcriber.poll(timeout_s):
                owner, _, job_id = result.job_id.rpartition("/")
                self._waiting[owner].append(msgspec.structs.replace(result, job_id=job_id))
            return self._waiting.pop(call_id, [])

    @property
    def pending(self) -> int:
        return self._transcriber.pending


class _CallTranscriber:
    """`Transcriber` of one call over the shared router."""

    def __init__(self, router: _Router, call_id: str) -> None:
        self._router = router
        self._call_id = call_id

    def submit(self, job: Job) -> None:
        self._router.submit(self._call_id, job)

    def poll(self, timeout_s: float) -> list[JobResult]:
        return self._router.poll(self._call_id, timeout_s)

    @property
    def pending(self) -> int:
        return self._router.pending

    def close(self) -> None:
        """Nothing of its own to close."""
