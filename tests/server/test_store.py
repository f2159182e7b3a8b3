"""What was committed is there after a crash, in order and unchanged; on SQLite and PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from conversation.events import (
    Channel,
    CueRaised,
    Event,
    FinalTranscript,
    OverlapClass,
    OverlapEnded,
    SpeechStarted,
)
from server.store import CallFilter, CallIdTaken, CallSource, Journal, StoreError
from server.store.database import NEWEST_STEP
from server.store.retention import (
    RetentionSettings,
    erase_call,
    erase_customer,
    expire,
    set_legal_hold,
)
from server.store.tables import EVENTS, METADATA

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
WRITER = """
import sys
from conversation.events import Channel, SpeechStarted
from server.store import Journal
journal = Journal(sys.argv[1])
journal.open_call("c", "2026-01-01T00:00:00+00:00", None)
for n in range(1, 100_000):
    event = SpeechStarted(at_ms=n, channel=Channel.AGENT, start_ms=n)
    journal.append("c", n, [event])
    print(n, flush=True)
"""


SOURCE = CallSource(sample_rate_hz=8_000, encoding="mulaw", channels=("agent", "customer"))


def speech(at_ms: int) -> SpeechStarted:
    return SpeechStarted(at_ms=at_ms, channel=Channel.AGENT, start_ms=at_ms)


def said(text: str) -> FinalTranscript:
    return FinalTranscript(
        at_ms=900,
        channel=Channel.CUSTOMER,
        utterance_id="c-1",
        rev=1,
        start_ms=0,
        end_ms=800,
        text=text,
    )


def overlap(number: int, revision: int, overlap_class: OverlapClass) -> OverlapEnded:
    return OverlapEnded(
        at_ms=1_000,
        id=f"ov-{number}",
        by=Channel.AGENT,
        over=Channel.CUSTOMER,
        overlap_class=overlap_class,
        begin_ms=0,
        end_ms=500,
        overlap_ms=500,
        yield_ms=None,
        severity=0,
        confidence=0.9,
        interrupted_text=None,
        interrupting_text=None,
        resumed=None,
        revision=revision,
    )


def cue() -> CueRaised:
    return CueRaised(
        at_ms=700,
        id="cue-1",
        rule="talk_over",
        text="Let them finish",
        priority=1,
        evidence_line="They were mid-sentence",
        ttl_ms=5_000,
    )


@pytest.fixture
def open_journal(database: Path | str) -> Iterator[Callable[[], Journal]]:
    opened: list[Journal] = []

    def open_one() -> Journal:
        opened.append(Journal(database))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def journal(open_journal: Callable[[], Journal]) -> Journal:
    return open_journal()


def test_events_come_back_as_they_went_in(journal: Journal) -> None:
    journal.open_call("c", "2026-01-01T00:00:00+00:00", "ann")
    events: list[Event] = [speech(1), speech(2), said("Tschüß 👋")]
    journal.append("c", 1, events[:2])
    journal.append("c", 3, events[2:])
    assert journal.events("c") == events
    assert journal.events("c", since_seq=2) == events[2:]
    assert journal.events("unknown") == []


def test_a_call_id_is_taken_once(journal: Journal) -> None:
    journal.open_call("c", "2026-01-01T00:00:00+00:00", None)
    with pytest.raises(CallIdTaken):
        journal.open_call("c", "2026-01-02T00:00:00+00:00", None)


def test_a_number_is_used_once_and_a_refused_batch_leaves_nothing(journal: Journal) -> None:
    journal.open_call("c", "2026-01-01T00:00:00+00:00", None)
    journal.append("c", 1, [speech(1)])
    with pytest.raises(StoreError):
        journal.append("c", 0, [speech(7), speech(8)])
    assert journal.events("c") == [speech(1)]


def test_one_bad_batch_does_not_take_the_others_of_its_commit_with_it(journal: Journal) -> None:
    journal.append("c", 1, [speech(1)])
    blocker = journal.engine.begin()
    with blocker as connection:
        connection.execute(sa.delete(EVENTS).where(EVENTS.c.call_id == "nobody"))
        futures = [journal.submit(name, 1, [speech(5)]) for name in ("a", "c", "b")]
    errors = [future.exception(timeout=20) for future in futures]
    assert [error is None for error in errors] == [True, False, True]
    assert journal.events("a") == journal.events("b") == [speech(5)]


def test_many_calls_share_commits_and_a_lone_one_does_not_wait(journal: Journal) -> None:
    commits = Counter[bool]()
    many = False
    sa.event.listen(journal.database, "commit", lambda _: commits.update([many]))
    journal.gather_while(lambda: many)
    for n in range(20):
        journal.append("alone", n + 1, [speech(n)])
    many, began_s, futures = True, time.monotonic(), []
    for n in range(20):
        futures.append(journal.submit(f"c{n}", 1, [speech(n)]))
        time.sleep(0.001)
    assert all(future.result(timeout=20) is None for future in futures)
    assert commits[False] == 20
    assert commits[True] <= (time.monotonic() - began_s) / 0.02 + 1


def test_calls_that_begin_together_share_a_commit_and_a_taken_id_is_its_own_affair(
    journal: Journal,
) -> None:
    journal.open_call("old", "2026-01-01T00:00:00+00:00", "ann")
    acme = journal.of("acme")
    commits: list[int] = []
    with journal.engine.begin() as blocker:
        blocker.execute(sa.delete(EVENTS).where(EVENTS.c.call_id == "nobody"))
        lone = journal.submit("lone", 1, [speech(1)])  # waits for the lock, the others behind it
        time.sleep(0.1)
        sa.event.listen(journal.database, "commit", lambda _: commits.append(1))
        futures = [
            record.begin_call(name, "2026-01-02T00:00:00+00:00", None, source=SOURCE)
            for record, name in ((journal, "c1"), (acme, "acme~c2"), (journal, "c3"))
        ]
        futures += [journal.submit("c1", 1, [speech(2)]), journal.raise_epoch("c3", 2)]
    assert [future.exception(timeout=20) for future in [lone, *futures]] == [None] * 6
    assert len(commits) <= 3  # the blocker's, the lone one's, and that of all others
    epochs = {call.call_id: (call.tenant, call.epoch) for call in journal.unfinished()}
    assert epochs == {"c1": ("default", 1), "acme~c2": ("acme", 1), "c3": ("default", 2)}
    with journal.engine.begin() as blocker:
        blocker.execute(sa.delete(EVENTS).where(EVENTS.c.call_id == "nobody"))
        futures = [
            journal.begin_call(name, "2026-01-03T00:00:00+00:00", None) for name in ("c4", "old")
        ]
        futures.append(journal.submit("c4", 1, [speech(3)]))
    errors = [future.exception(timeout=20) for future in futures]
    assert [type(error) for error in errors] == [type(None), CallIdTaken, type(None)]
    assert (journal.call("c4") is not None, journal.events("c4")) == (True, [speech(3)])
    assert getattr(journal.call("old"), "agent", None) == "ann"


def test_many_calls_wait_for_those_that_are_still_worked_on(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.store.writer._HOLD_S", 60.0)
    journal.append("a", 1, [speech(1)])
    journal.gather_while(lambda: True)
    futures = [journal.submit("a", n, [speech(n)]) for n in (2, 3)]
    time.sleep(0.2)
    assert not any(future.done() for future in futures)
    began_s = time.monotonic()
    journal.flush()
    assert all(future.result(timeout=20) is None for future in futures)
    late = journal.submit("a", 4, [speech(4)])
    journal.close()  # waits for nobody either
    assert late.exception(timeout=20) is None
    assert time.monotonic() - began_s < 30


@pytest.mark.parametrize("many", [False, True])
def test_many_calls_written_from_many_threads_keep_their_order(
    journal: Journal, many: bool
) -> None:
    journal.gather_while(lambda: many)

    def write(name: str) -> None:
        for n in range(1, 31):
            journal.append(name, n, [speech(n)])

    threads = [threading.Thread(target=write, args=(f"c{k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(8):
        assert [e.at_ms for e in journal.events(f"c{k}")] == list(range(1, 31))


def test_calls_are_listed_newest_first_and_none_is_live_after_a_restart(
    open_journal: Callable[[], Journal],
) -> None:
    first = open_journal()
    first.open_call("old", "2026-01-01T00:00:00+00:00", "ann")
    first.open_call("new", "2026-01-01T23:30:00-01:00", None)
    first.append("new", 1, [speech(4_000)])
    first.end_call("old", 5_000)
    assert [(r.call_id, r.live, r.duration_ms) for r in first.calls()] == [
        ("new", True, 0),
        ("old", False, 5_000),
    ]
    first.close()
    assert [(r.live, r.duration_ms) for r in open_journal().calls()] == [
        (False, 4_000),
        (False, 5_000),
    ]


def test_calls_are_found_by_agent_date_and_reason_page_by_page(journal: Journal) -> None:
    for n in range(7):
        agent = "ann" if n % 2 else "bob"
        journal.open_call(f"c{n}", f"2026-01-0{n + 1}T00:00:00+00:00", agent, team="billing")
        journal.append(
            f"c{n}",
            1,
            [cue(), overlap(1, 0, OverlapClass.BUTTING_IN), overlap(1, 1, OverlapClass.SUCCESSFUL)]
            if n in (1, 2)
            else [speech(1)],
        )
        journal.end_call(f"c{n}", 1_000)
    day_ms = 86_400_000
    first_ms = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert ids(journal, CallFilter(agent="ann")) == ["c5", "c3", "c1"]
    assert ids(journal, CallFilter(reason="talk_over")) == ["c2", "c1"]
    assert ids(journal, CallFilter(reason="butting_in")) == []
    assert ids(journal, CallFilter(since_ms=first_ms + 5 * day_ms)) == ["c6", "c5"]
    assert ids(journal, CallFilter(until_ms=first_ms + day_ms, team="billing")) == ["c0"]
    page = journal.find_calls(CallFilter(), limit=5)
    assert page.calls[-1].call_id == "c2"
    assert page.calls[-1].reasons == {"successful": 1, "talk_over": 1}
    rest = journal.find_calls(CallFilter(), limit=5, cursor=page.next_cursor)
    assert [row.call_id for row in rest.calls] == ["c1", "c0"]
    assert rest.next_cursor is None


def ids(journal: Journal, wanted: CallFilter) -> list[str]:
    return [row.call_id for row in journal.find_calls(wanted).calls]


@pytest.mark.parametrize("cursor", ["x", "!!", "bm90aGluZw=="])
def test_a_cursor_that_no_page_gave_is_refused(journal: Journal, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        journal.find_calls(CallFilter(), cursor=cursor)


def test_a_damaged_row_is_named_not_returned(journal: Journal) -> None:
    journal.append("c", 1, [speech(1), speech(2)])
    with journal.engine.begin() as connection:
        damaged = sa.update(EVENTS).where(EVENTS.c.seq == 2).values(payload=b"{}")
        connection.execute(damaged)
    with pytest.raises(StoreError, match="Event 2 of call c"):
        journal.events("c")


def test_the_migrations_make_the_tables_that_the_code_uses(journal: Journal) -> None:
    with journal.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_database_that_is_up_to_date_opens_without_the_steps(
    database: Path | str, open_journal: Callable[[], Journal]
) -> None:
    config = Config()
    config.set_main_option("script_location", "server.store:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST_STEP
    open_journal()
    opens = (
        "import sys; from server.store.database import open_database; "
        "open_database(sys.argv[1]).dispose(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", opens, str(database)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout == "False\n"


def test_a_database_of_a_newer_version_is_refused_by_name(
    open_journal: Callable[[], Journal], database: Path | str
) -> None:
    with open_journal().engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="another version"):
        Journal(database)


def test_what_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear customer, " * 100)
    for where in (tmp_path / "letter.db", tmp_path / "no folder" / "x.db", "nonsense://"):
        with pytest.raises(StoreError):
            Journal(where)


def test_what_append_returned_from_survives_kill_9(
    database: Path | str, open_journal: Callable[[], Journal]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout is not None
        committed = [int(writer.stdout.readline()) for _ in range(50)][-1]
        writer.send_signal(signal.SIGKILL)
        committed = max([committed, *(int(line) for line in writer.stdout.read().split())])
    kept = [event.at_ms for event in open_journal().events("c")]
    assert kept[:committed] == list(range(1, committed + 1))
    assert len(kept) - committed in (0, 1)


def fill(journal: Journal, call_id: str, text: str, customer: str, days_ago: int = 0) -> None:
    started = (NOW - timedelta(days=days_ago)).isoformat()
    journal.open_call(call_id, started, "ann", customer=customer)
    journal.append(call_id, 1, [said(text), said(text)])
    journal.end_call(call_id, 1_000)


def test_an_erased_call_leaves_no_byte_in_the_files(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "heartline.db")
    fill(journal, "gone", "canary in the coal mine", "cust-7")
    fill(journal, "stays", "something else", "cust-8")
    certificate = erase_call(journal.engine, "gone", now=NOW)
    journal.close()
    assert (certificate.calls, certificate.events) == (1, 2)
    bytes_on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary" not in bytes_on_disk
    assert b"something else" in bytes_on_disk


def test_all_calls_of_a_customer_are_erased_and_nobody_elses(journal: Journal) -> None:
    fill(journal, "one", "a", "cust-7")
    fill(journal, "two", "b", "cust-7")
    fill(journal, "other", "c", "cust-8")
    assert erase_customer(journal.engine, "cust-7", now=NOW).calls == 2
    assert [row.call_id for row in journal.calls()] == ["other"]
    assert journal.events("one") == []
    with pytest.raises(StoreError, match="no such customer"):
        erase_customer(journal.engine, "cust-7", now=NOW)


def test_a_live_or_held_call_is_not_erased(journal: Journal) -> None:
    journal.open_call("live", NOW.isoformat(), None)
    fill(journal, "held", "evidence", "cust-7")
    set_legal_hold(journal.engine, "held", on=True)
    for call_id, reason in (("live", "still live"), ("held", "legal hold"), ("none", "no call")):
        with pytest.raises(StoreError, match=reason):
            erase_call(journal.engine, call_id, now=NOW)
    set_legal_hold(journal.engine, "held", on=False)
    assert erase_call(journal.engine, "held", now=NOW).calls == 1


def test_retention_deletes_exactly_what_is_too_old_and_a_second_run_nothing(
    journal: Journal,
) -> None:
    fill(journal, "fresh", "a", "x", days_ago=89)
    fill(journal, "words gone", "b", "x", days_ago=91)
    fill(journal, "all gone", "c", "x", days_ago=396)
    fill(journal, "held", "d", "x", days_ago=500)
    set_legal_hold(journal.engine, "held", on=True)
    (certificate,) = expire(journal.database, RetentionSettings(), now=NOW)
    assert (certificate.calls, certificate.events) == (1, 4)
    assert [row.call_id for row in journal.calls()] == ["fresh", "words gone", "held"]
    assert [len(journal.events(c)) for c in ("fresh", "words gone", "held")] == [2, 0, 2]
    assert expire(journal.database, RetentionSettings(), now=NOW) == []
