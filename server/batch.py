"""Analyses many calls on all cores: one process per core, each with its own models.

A file that cannot be analysed costs itself alone: its process says why, or is replaced when it
died, and the others go on. What is already there for the same audio, model and settings is not
done again, so a run that was interrupted is gone on with by starting it once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from pathlib import Path

import msgspec

from asr.errors import AsrError
from audio.errors import AudioError
from audio.sources import open_recording
from conversation.events import Channel, Event
from reports.model import Report
from server.analyze import (
    Progress,
    TranscriptError,
    analyze_recording,
    analyze_transcript,
    write_outputs,
)
from server.hearing import Hearing, HearingSettings
from server.vcon_file import VconError, files_beside, is_vcon, open_vcon

MARK = "analysis.json"
"""Written last into a call's folder: what its report was made from."""
CALL_ERRORS = (AudioError, TranscriptError, VconError)
"""What can be wrong with one call without being wrong with the next."""
_TRIES = 2
"""Processes that may die of a file before it is given up."""
_LOOKAHEAD = 4
"""Files per process that may be done before the oldest one is, which bounds what waits."""


class BatchError(Exception):
    """The processes of a batch cannot start."""

    code = "batch_failed"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One call to analyse."""

    path: Path
    folder: Path
    """Where its outputs go."""
    call_id: str
    customer: Path | None = None
    agent_channel: int = 0
    agent: str | None = None
    exports: tuple[str, ...] = ()
    again: bool = False
    """Analyse it even if its report is there."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a task."""

    task: Task
    status: str
    """`done`, `skipped` (it was there already) or `failed`."""
    error: str | None = None
    duration_ms: int | None = None
    interruptions: dict[str, int | None] = {}
    """By party: events that took the floor or talked over."""
    promises: int | None = None


def analyze_one(
    task: Task, hearing: Hearing, *, progress: Progress | None = None
) -> tuple[Report, bool]:
    """Analyse one call and write its outputs; return its report, and whether it was there.

    Raises:
        AudioError, TranscriptError, VconError: the file cannot be used, and why.
        OSError: the outputs cannot be written.
    """
    made_from = fingerprint(task, hearing.settings)
    mark, stored = task.folder / MARK, task.folder / "report.json"
    if made_from is not None and not task.again and _is_there(mark, stored, made_from):
        return msgspec.json.decode(stored.read_bytes(), type=Report), True
    mark.unlink(missing_ok=True)
    report = write_outputs(_events(task, hearing, progress), task.folder, task.exports)
    if made_from is not None:
        mark.write_bytes(msgspec.json.encode(made_from))
    return report, False


def fingerprint(task: Task, settings: HearingSettings) -> dict[str, str] | None:
    """Return what a report depends on; None when a file of the call cannot be read."""
    digest = hashlib.sha256()
    files = [task.path] if task.customer is None else [task.path, task.customer]
    if is_vcon(task.path):
        files += sorted(files_beside(task.path))
    try:
        for path in files:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return None
    options = msgspec.json.encode(
        [settings, task.agent_channel, task.agent, task.call_id, task.exports], order="sorted"
    )
    return {
        "audio_sha256": digest.hexdigest(),
        "settings_sha256": hashlib.sha256(options).hexdigest(),
        "model": settings.asr.model if settings.asr.enabled else "none",
        "program_sha256": _program_sha256(),
    }


@cache
def _program_sha256() -> str:
    """Return a digest of the code, rules and language packs that make a report."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for package in ("audio", "asr", "prosody", "conversation", "reports", "server"):
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".toml"):
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _is_there(mark: Path, stored: Path, made_from: dict[str, str]) -> bool:
    try:
        return stored.is_file() and msgspec.json.decode(mark.read_bytes()) == made_from
    except (OSError, msgspec.MsgspecError):
        return False


def _events(task: Task, hearing: Hearing, progress: Progress | None) -> list[Event]:
    path, agent, call_id = task.path, task.agent, task.call_id
    if path.name.endswith(".transcript.json"):
        return analyze_transcript(
            path,
            hearing.settings,
            call_id=call_id,
            started_at=recorded_at(path),
            act_model=hearing.act_model,
        )
    if is_vcon(path):
        call = open_vcon(path, agent_channel=task.agent_channel)
        recording, started_at, agent = call.recording, call.started_at, agent or call.agent
    else:
        recording = open_recording(
            path, customer_path=task.customer, agent_channel=task.agent_channel
        )
        started_at = recorded_at(path)
    return analyze_recording(
        recording,
        hearing,
        call_id=call_id,
        started_at=started_at,
        agent=agent,
        progress=progress,
    )


def recorded_at(path: Path) -> str:
    """Return when a file was last written, the nearest to the time of its call that is known."""
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        written = datetime.now(UTC)
    return written.astimezone().isoformat(timespec="seconds")


def analyze_many(
    tasks: Sequence[Task], settings: HearingSettings, *, processes: int
) -> Generator[Outcome]:
    """Analyse calls in parallel and yield an outcome for each, in the order of `tasks`.

    Raises:
        BatchError: the models cannot be loaded.
    """
    if settings.asr.enabled:
        asr = msgspec.structs.replace(settings.asr, workers=1)
        settings = msgspec.structs.replace(settings, asr=asr)
    batch = _Batch(settings, min(processes, len(tasks)))
    try:
        yield from batch.run(tasks)
    finally:
        batch.close()


class _Batch:
    """The processes of one run."""

    def __init__(self, settings: HearingSettings, processes: int) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("spawn")
        self._workers = [_Worker(self._context, settings) for _ in range(processes)]

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        waiting = deque((index, 0) for index in range(len(tasks)))
        done: dict[int, Outcome] = {}
        told = 0
        while told < len(tasks):
            for worker in self._workers:
                bound = told + _LOOKAHEAD * len(self._workers)
                if worker.job is None and waiting and waiting[0][0] < bound:
                    worker.start(tasks[waiting[0][0]], waiting.popleft())
            for index, tries, answer in self._answers():
                if answer is not None:
                    done[index] = answer
                elif tries + 1 < _TRIES:
                    waiting.appendleft((index, tries + 1))
                else:
                    error = f"{tasks[index].path.name} ended the process that read it; skipped."
                    done[index] = Outcome(task=tasks[index], status="failed", error=error)
            while told in done:
                yield done.pop(told)
                told += 1

    def _answers(self) -> Iterator[tuple[int, int, Outcome | None]]:
        """Wait for answers; None instead of an outcome when the process died of the task."""
        by_pipe = {worker.pipe: worker for worker in self._workers if worker.job is not None}
        for pipe in wait(list(by_pipe)):
            assert isinstance(pipe, Connection)  # noqa: S101 - that is what was waited for
            place = self._workers.index(by_pipe[pipe])
            worker = self._workers[place]
            job, worker.job = worker.job, None
            assert job is not None  # noqa: S101 - only workers with a job are waited for
            try:
                answer = pipe.recv()
            except (EOFError, OSError):
                worker.close()
                self._workers[place] = _Worker(self._context, self._settings)
                answer = None
            if isinstance(answer, str):
                raise BatchError(answer)
            yield (*job, answer)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()


class _Worker:
    """One process with loaded models, and the task it has now."""

    def __init__(self, context: SpawnContext, settings: HearingSettings) -> None:
        self.pipe, other = context.Pipe()
        self.job: tuple[int, int] | None = None
        """Index of the task and how often it was tried."""
        self._process = context.Process(target=_serve, args=(other, settings), daemon=True)
        self._process.start()
        other.close()

    def start(self, task: Task, job: tuple[int, int]) -> None:
        self.job = job
        # A process that died while idle shows at the next wait, as the end of its pipe.
        with contextlib.suppress(OSError):
            self.pipe.send(task)

    def close(self) -> None:
        self.pipe.close()
        self._process.join(timeout=5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, settings: HearingSettings) -> None:
    """Answer tasks until the pipe ends; Ctrl+C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hearing = Hearing(settings)
    try:
        hearing.load()
        while True:
            pipe.send(_outcome(pipe.recv(), hearing))
    except (AudioError, AsrError) as error:
        with contextlib.suppress(OSError):  # a batch that is gone needs no word
            pipe.send(str(error))
    except (EOFError, OSError):
        return
    finally:
        hearing.close()


def _outcome(task: Task, hearing: Hearing) -> Outcome:
    try:
        report, was_there = analyze_one(task, hearing)
    except CALL_ERRORS as error:
        return Outcome(task=task, status="failed", error=str(error))
    except OSError as error:
        message = f"The outputs of {task.path.name} cannot be written: {error.strerror}."
        return Outcome(task=task, status="failed", error=message)
    return outcome_of(task, report, was_there=was_there)


def outcome_of(task: Task, report: Report, *, was_there: bool) -> Outcome:
    """Sum up a report for the table of a batch."""
    by = report.interruptions.by
    return Outcome(
        task=task,
        status="skipped" if was_there else "done",
        duration_ms=report.call.duration_ms,
        interruptions={
            party: _sum(by[party].successful, by[party].talk_over)
            for party in (Channel.AGENT, Channel.CUSTOMER)
        },
        promises=len(report.promises),
    )


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
