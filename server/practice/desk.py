"""The typed runs of this process: begun, answered, ended; every event is kept before it is told."""

from __future__ import annotations

import secrets
import threading
from datetime import datetime

import msgspec

from conversation.settings import ConversationSettings
from reports.model import PRACTICE_SOURCE, PracticePart
from server.people.roles import Person
from server.people.tenants import own_call_id
from server.practice.director import Director
from server.practice.scenario import Scenario
from server.practice.text_call import TextCall
from server.practice.typed_run import TypedRun
from server.store import Journal
from server.store.practice import PracticeRow, forget, practice_of, reserve, set_part
from server.store.retention import erase_call

_MOST_RUNS = 200
"""Runs that may be open; the oldest one ends when another begins."""


class NoSuchRun(Exception):
    """There is no run of that id, it is somebody else's, or it is over."""

    code = "no_such_run"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What the trainee reads, and the call that the run is."""

    call_id: str
    source: str = PRACTICE_SOURCE
    role: str
    scenario: str
    title: str
    situation: str
    facts: tuple[str, ...]
    goals: tuple[str, ...]
    line: str
    """What the customer says first."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side says, and what was heard."""

    reply: str | None
    line: str
    """What the customer says now; for the customer's role, to be said in words of their own."""
    heard: tuple[str, ...]
    """Acts of the agent that were called for and heard."""
    wanted: tuple[str, ...]
    over: bool


class Desk:
    """Open runs; methods may be called from any thread."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._runs: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def begin(
        self,
        person: Person,
        scenario: Scenario,
        role: str,
        settings: ConversationSettings,
        now: datetime,
    ) -> Case:
        """Reserve the call of a run; it begins with the first turn, typed or spoken."""
        call_id = own_call_id(person.tenant, f"p_{secrets.token_hex(8)}")
        journal = self._journal.of(person.tenant)
        director = Director(scenario)
        part = director.part(role, None)
        reserve(journal.engine, PracticeRow(call_id=call_id, person=person.id, part=part))
        run = _Open(journal, person, call_id, director, role, settings, now)
        with self._lock:
            oldest = next(iter(self._runs)) if len(self._runs) >= _MOST_RUNS else None
            given_up = None if oldest is None else self._runs.pop(oldest)
            self._runs[call_id] = run
        if given_up is not None:
            given_up.end(None)
        return Case(
            call_id=call_id,
            role=role,
            scenario=scenario.id,
            title=scenario.title,
            situation=" ".join(scenario.situation.split()),
            facts=scenario.facts,
            goals=scenario.goals,
            line=director.stage.says,
        )

    def take(self, person: Person, call_id: str, text: str) -> Reply:
        """Take what the trainee types.

        Raises:
            NoSuchRun: there is no open run of theirs.
        """
        run = self._own(person, call_id)
        with run.lock:
            return run.take(text)

    def end(self, person: Person, call_id: str, feelings: str | None) -> PracticePart:
        """End a run, compare the feelings that the trainee named, and keep its report.

        Raises:
            NoSuchRun: there is no open run of theirs.
        """
        run = self._own(person, call_id)
        with self._lock:
            self._runs.pop(call_id, None)
        with run.lock:
            return run.end(feelings)

    def delete(self, person: Person, call_id: str, now: datetime) -> None:
        """Erase a run for good.

        Raises:
            NoSuchRun: there is no run of theirs.
            StoreError: it is still going on.
        """
        journal = self._journal.of(person.tenant)
        row = practice_of(journal.engine, call_id)
        if row is None or row.person != person.id:
            raise NoSuchRun("There is no such practice run.")
        with self._lock:
            run = self._runs.pop(call_id, None)
        if run is not None:
            with run.lock:
                run.end(None)
        if journal.has_call(call_id):
            erase_call(journal.engine, call_id, now=now)
        else:
            forget(journal.engine, call_id)

    def _own(self, person: Person, call_id: str) -> _Open:
        with self._lock:
            run = self._runs.get(call_id)
        if run is None or run.person.id != person.id:
            raise NoSuchRun("There is no such practice run, or it is over.")
        return run


class _Open:
    """One run that goes on; its call is opened by the first turn."""

    def __init__(
        self,
        journal: Journal,
        person: Person,
        call_id: str,
        director: Director,
        role: str,
        settings: ConversationSettings,
        now: datetime,
    ) -> None:
        self.person = person
        self.lock = threading.Lock()
        self._journal, self._call_id = journal, call_id
        self._director, self._role, self._settings = director, role, settings
        self._began = now.astimezone().isoformat(timespec="seconds")
        self._run: TypedRun | None = None
        self._kept = 0

    def take(self, text: str) -> Reply:
        run = self._run or self._open()
        told = len(self._director.attempts)
        reply = run.take(text)
        self._keep(run)
        new = self._director.attempts[told:]
        return Reply(
            reply=reply,
            line=run.line,
            heard=tuple(act for attempt in new for act in attempt.found),
            wanted=tuple(act for attempt in new for act in attempt.wanted),
            over=run.over,
        )

    def end(self, feelings: str | None) -> PracticePart:
        part = self._director.part(self._role, feelings)
        if self._run is not None:
            self._run.call.finish()
            self._keep(self._run)
            self._journal.end_call(self._call_id, self._run.call.events[-1].at_ms)
        set_part(self._journal.engine, self._call_id, part)
        return part

    def _open(self) -> TypedRun:
        agent = self.person.agent
        self._journal.open_call(self._call_id, self._began, agent)
        call = TextCall(self._settings, call_id=self._call_id, started_at=self._began, agent=agent)
        self._run = TypedRun(self._director, call, self._role)
        return self._run

    def _keep(self, run: TypedRun) -> None:
        new = run.call.events[self._kept :]
        self._journal.append(self._call_id, self._kept + 1, new)
        self._kept += len(new)
