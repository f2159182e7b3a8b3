"""Which layout of processes and threads decodes fastest on this machine; measured once, then kept.

Tries one thread per process and one process with all threads, and float32 beside int8 where
`asr.compute_type` is `auto`; two decodes at once with each, best throughput wins, the first with
int8 unless another is at least 10 % better. The answer is kept by model, CPU, library version and
compute type in Heartline's cache folder. Takes about 3 s, in a process of its own; a machine that
is busy with other things tells nothing, and gets one process per core until the next start.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from asr.models import cache_folder, resolve_model
from asr.settings import AsrSettings

MOST_WORKERS = 8
"""Worker processes of one machine, unless a setting says more."""
_FRAMES = 1000
_TOKENS = 16
"""Tokens of a typical partial."""
_LIMIT_S = 3.0
"""No further layout is tried after this."""
_TIMEOUT_S = 30.0
_BETTER = 1.10
_BUSY_LOAD_PER_CORE = 0.6
_REPEATS = 2


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How recognition runs on this machine."""

    workers: int
    threads: int
    compute_type: str
    partial_ms: float = 0.0
    """What a decode of a partial took with all workers busy; 0 when it was not measured."""


def choose_layout(settings: AsrSettings) -> Layout:
    """Return the layout that settings name, else the one kept for this machine, else measure.

    Unless settings name the workers, `spare_cores` of them are left out, and one is kept.
    """
    layout = _layout_of_machine(settings)
    if settings.workers:
        return layout
    return msgspec.structs.replace(layout, workers=max(1, layout.workers - settings.spare_cores))


def _layout_of_machine(settings: AsrSettings) -> Layout:
    workers = settings.workers or min(MOST_WORKERS, os.cpu_count() or 1)
    plain = Layout(
        workers=workers,
        threads=settings.threads or 1,
        compute_type="int8" if settings.compute_type == "auto" else settings.compute_type,
    )
    settled = settings.threads > 0 and settings.compute_type != "auto"
    if settled or settings.device != "cpu":
        return plain
    kept = cache_folder() / "calibration" / f"{_machine(settings)}.json"
    try:
        best = msgspec.json.decode(kept.read_bytes(), type=Layout)
    except (OSError, msgspec.MsgspecError):
        measured = None if _is_busy() else _measure_elsewhere(settings)
        if measured is None:
            return plain
        best = measured
        _keep(best, kept)
    if settings.workers:
        best = msgspec.structs.replace(best, workers=settings.workers)
    return best


def measure(settings: AsrSettings) -> Layout:
    """Try the layouts and return the best; loads the model once for each."""
    began_s = time.monotonic()
    best: tuple[float, Layout] | None = None
    for layout in _layouts(settings):
        if best is not None and time.monotonic() - began_s > _LIMIT_S:
            break
        seconds = _two_jobs_s(settings, layout)
        if best is None or seconds * _BETTER < best[0]:
            partial_ms = round(1000 * seconds / (2 if layout.workers == 1 else 1), 1)
            best = seconds, msgspec.structs.replace(layout, partial_ms=partial_ms)
    assert best is not None  # noqa: S101 - there is always a layout
    return best[1]


def _layouts(settings: AsrSettings) -> Iterator[Layout]:
    cores = min(MOST_WORKERS, os.cpu_count() or 1)
    auto = settings.compute_type == "auto"
    for compute_type in ("int8", "float32") if auto else (settings.compute_type,):
        yield Layout(workers=cores, threads=1, compute_type=compute_type)
        if cores > 1:
            yield Layout(workers=1, threads=cores, compute_type=compute_type)


def _two_jobs_s(settings: AsrSettings, layout: Layout) -> float:
    """Time two decodes at once, best of two: in two replicas, or one after the other in one."""
    from faster_whisper import WhisperModel

    replicas = min(2, layout.workers)
    model = WhisperModel(
        str(resolve_model(settings.model).folder),
        device="cpu",
        compute_type=layout.compute_type,
        cpu_threads=layout.threads,
        num_workers=replicas,
        local_files_only=True,
    )
    with ThreadPoolExecutor(replicas) as pool:
        list(pool.map(lambda _: _decode(model), range(replicas)))
        times_s = []
        for _ in range(_REPEATS):
            began_s = time.monotonic()
            list(pool.map(lambda _: _decode(model), range(2)))
            times_s.append(time.monotonic() - began_s)
    return min(times_s)


def _decode(model: Any) -> None:
    """Encode noise and decode a fixed number of tokens: the cost does not depend on the audio."""
    import ctranslate2

    noise = np.random.default_rng(1).normal(0, 0.01, _FRAMES * 160).astype(np.float32)
    mel = model.feature_extractor(noise, padding=0)[:, :_FRAMES]
    features = ctranslate2.StorageView.from_array(np.ascontiguousarray(mel[None, :, :]))
    encoded = model.model.encode(features, to_cpu=False)
    start = model.hf_tokenizer.token_to_id("<|startoftranscript|>")
    end = model.hf_tokenizer.token_to_id("<|endoftext|>")
    model.model.generate(
        encoded, [[start]], beam_size=1, max_length=_TOKENS, suppress_tokens=[-1, end]
    )


def _is_busy() -> bool:
    """Whether other programs use so much of the processor that times would say nothing."""
    cores = os.cpu_count() or 1
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > _BUSY_LOAD_PER_CORE * cores


def _machine(settings: AsrSettings) -> str:
    """Return a name for everything that the answer depends on."""
    import ctranslate2

    weights = resolve_model(settings.model).folder / "model.bin"
    size = weights.stat().st_size if weights.is_file() else 0
    parts = (settings.model, size, settings.compute_type, ctranslate2.__version__, os.cpu_count())
    return hashlib.sha256(repr((*parts, _cpu())).encode()).hexdigest()[:16]


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    lines = info.read_text("utf-8", "replace").splitlines()
    return next((line for line in lines if line.startswith("model name")), platform.machine())


def _measure_elsewhere(settings: AsrSettings) -> Layout | None:
    """Measure in a process of its own; None when that fails, as without a model."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(
            [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        ).rstrip(os.pathsep),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "asr.calibration"],
            input=msgspec.json.encode(settings),
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=environment,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=Layout)
    except (subprocess.SubprocessError, OSError, msgspec.MsgspecError):
        return None


def _keep(layout: Layout, path: Path) -> None:
    """Write atomically; a cache that cannot be written costs a measurement at the next start."""
    scratch = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(msgspec.json.encode(layout))
        scratch.replace(path)
    except OSError:
        return


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(measure(msgspec.json.decode(sys.stdin.buffer.read(), type=AsrSettings)))
    )
