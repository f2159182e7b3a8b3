"""A child process that decodes: jobs in on standard input, answers out on standard output.

Messages are a 4-byte little-endian length and msgpack. The first answer is `{"ready": true}` or
`{"failed": sentence, "code": code}`; an empty message asks whether the worker lives and is
answered with an empty one. The process ends when its input does, so that it never outlives its
parent. SIGUSR1 dumps its stacks to standard error.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import struct
import sys
import time
from pathlib import Path
from typing import IO

import msgspec
import numpy as np

from asr.engine import Engine, Request
from asr.errors import AsrError
from asr.jobs import Job, JobKind, JobResult
from asr.settings import AsrSettings
from conversation.events import Word

_NICENESS = 10
"""Below the process that hears and cues, so that a decode never starves it."""
_RATE_HZ = 16_000


class Hello(msgspec.Struct, kw_only=True, omit_defaults=True):
    """First message of a worker."""

    ready: bool = False
    failed: str | None = None
    code: str | None = None


def read_message(stream: IO[bytes]) -> bytes | None:
    """Return the next message, or None at the end of the stream."""
    header = stream.read(4)
    if len(header) < 4:
        return None
    (length,) = struct.unpack("<I", header)
    body = stream.read(length)
    return body if len(body) == length else None


def write_message(stream: IO[bytes], body: bytes) -> None:
    """Write one message and flush it."""
    stream.write(struct.pack("<I", len(body)) + body)
    stream.flush()


def memory_mib(pid: int | None = None) -> float | None:
    """Return the resident memory of a process (None: this one) in MiB.

    Of another process it is known only where /proc is; of this one its peak is told elsewhere.
    """
    statm = Path("/proc") / ("self" if pid is None else str(pid)) / "statm"
    try:
        pages = int(statm.read_text("ascii").split()[1])
    except (OSError, IndexError):
        if pid is not None:
            return None
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Serve jobs until standard input ends."""
    os.nice(_NICENESS)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    settings_message = read_message(source)
    if settings_message is None:
        return
    engine = Engine(msgspec.msgpack.decode(settings_message, type=AsrSettings))
    try:
        engine.load()
    except AsrError as error:
        write_message(sink, msgspec.msgpack.encode(Hello(failed=str(error), code=error.code)))
        return
    # The first decode is slower than the others (section 8).
    noise = np.random.default_rng(1).normal(0, 0.01, _RATE_HZ).astype(np.float32)
    engine.decode(noise, Request(final=True, speech_ms=1_000))
    write_message(sink, msgspec.msgpack.encode(Hello(ready=True)))
    decoder = msgspec.msgpack.Decoder(Job)
    while (message := read_message(source)) is not None:
        answer = _answer(engine, decoder.decode(message)) if message else None
        write_message(sink, b"" if answer is None else msgspec.msgpack.encode(answer))


def _answer(engine: Engine, job: Job) -> JobResult:
    began_s, cpu_s = time.monotonic(), time.process_time()
    samples = np.frombuffer(job.pcm, dtype="<i2").astype(np.float32) / np.float32(32768.0)
    request = Request(
        final=job.kind is not JobKind.PARTIAL,
        speech_ms=job.speech_ms,
        voice=job.voice,
        hotwords=job.hotwords,
        words_from_s=(
            0.0 if job.words_from_ms is None else (job.words_from_ms - job.start_ms) / 1000
        ),
        beam=job.beam,
        least_frames=job.least_frames,
        most_frames=job.most_frames,
        extra_frames=job.extra_frames,
        align=job.align,
    )
    decoded = engine.decode(samples, request)
    words = tuple(
        Word(
            text=word.text,
            start_ms=job.start_ms + round(word.start_s * 1000),
            end_ms=job.start_ms + round(word.end_s * 1000),
            probability=word.probability,
        )
        for word in decoded.words
    )
    return JobResult(
        job_id=job.job_id,
        kind=job.kind,
        channel=job.channel,
        utterance_id=job.utterance_id,
        text=decoded.text,
        words=words,
        no_speech_probability=round(decoded.no_speech_probability, 4),
        flags=decoded.flags,
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.monotonic() - began_s,
        memory_mib=memory_mib() or 0.0,
    )


if __name__ == "__main__":
    main()
