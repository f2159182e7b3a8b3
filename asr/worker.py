"""A child process that decodes: jobs in on standard input, answers out on standard output.

Messages are a 4-byte little-endian length and msgpack. The first answer is `{"ready": true}` or
`{"failed": sentence, "code": code}`. The process ends when its input does, so that it never
outlives its parent.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from typing import IO

import msgspec
import numpy as np

from asr.engine import Engine
from asr.errors import AsrError
from asr.jobs import Job, JobKind, JobResult
from asr.settings import AsrSettings
from conversation.events import Word

_NICENESS = 5
"""Below the process that hears and cues, so that a decode never starves it."""


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


def main() -> None:
    """Serve jobs until standard input ends."""
    os.nice(_NICENESS)
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
    engine.decode(np.zeros(16_000, dtype=np.float32), speech_ms=1_000, final=True)
    write_message(sink, msgspec.msgpack.encode(Hello(ready=True)))
    decoder = msgspec.msgpack.Decoder(Job)
    while (message := read_message(source)) is not None:
        write_message(sink, msgspec.msgpack.encode(_answer(engine, decoder.decode(message))))


def _answer(engine: Engine, job: Job) -> JobResult:
    began_s, cpu_s = time.monotonic(), time.process_time()
    samples = np.frombuffer(job.pcm, dtype="<i2").astype(np.float32) / np.float32(32768.0)
    decoded = engine.decode(samples, speech_ms=job.speech_ms, final=job.kind is not JobKind.PARTIAL)
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
    )


if __name__ == "__main__":
    main()
