"""Loaded models that all calls of a process share."""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict

import msgspec

import prosody.stage
from asr.jobs import Job, JobResult, Transcriber
from asr.pool import WorkerPool
from asr.settings import AsrSettings
from audio.settings import AudioSettings
from audio.vad import SileroVad, SpeechProbability, VadStream
from conversation.settings import ConversationSettings
from prosody.score import Load
from prosody.settings import ProsodySettings


class HearingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of everything between the samples and the core's events."""

    audio: AudioSettings = AudioSettings()
    asr: AsrSettings = AsrSettings()
    prosody: ProsodySettings = ProsodySettings()
    conversation: ConversationSettings = ConversationSettings()


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
        vad: SileroVad | None = None,
    ) -> None:
        self.settings = settings or HearingSettings()
        self._vad = vad or SileroVad()
        self._given = transcriber
        self._pool: WorkerPool | None = None
        self._router: _Router | None = None
        self.live_calls: weakref.WeakSet[object] = weakref.WeakSet()
        """Live sessions that share this object; they enter and leave by themselves."""

    def load(self, *, wait_for_recogniser_s: float = 60.0) -> None:
        """Load all models.

        Raises:
            AudioError: the voice-activity model is missing or not the one that was reviewed.
            AsrError: the recogniser's model is missing or corrupt, or no worker came up in time.
        """
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

    @property
    def prosody_load(self) -> Load:
        """How much of the processor the prosody of one live call may have."""
        many = len(self.live_calls) > self.settings.prosody.many_calls
        return Load.MANY if many else Load.FULL

    def vad_stream(self) -> SpeechProbability:
        """Return a fresh voice-activity stream for one channel."""
        return VadStream(self._vad)

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
