"""Receivers are told over real sockets, again until it arrives, also by the next process.

Assertions: A39.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cloudevents.v1.http import from_http
from standardwebhooks import Webhook
from typer.testing import CliRunner

import server.webhooks.sender
from conversation.events import (
    AlertRaised,
    CallEnded,
    CallStarted,
    Channel,
    Event,
    PromiseMade,
    PromiseReviewed,
)
from reports.model import PracticePart
from server.cli import app
from server.people.audit import read_secret
from server.runner import Running, running_server
from server.settings import Settings
from server.store import Journal, StoreError
from server.store.practice import PracticeRow, reserve
from server.store.promises import PromiseSettings, tick
from server.store.retention import erase_call
from server.webhooks.hooks import Hook, Hooks, WebhookError
from server.webhooks.messages import secret_of
from server.webhooks.outbox import LEASE_MS, Outbox, Waiting
from server.webhooks.sender import Sender, open_sender
from server.webhooks.settings import WebhookSettings
from tests.server.live import close_code, hearing, native, send_audio, until
from tests.server.receiver import Receiver, certificate_for, receiving

pytestmark = pytest.mark.server
HERE = WebhookSettings(private_networks=("127.0.0.0/8",), timeout_s=5.0)
DAY_MS = 86_400_000


@contextmanager
def serving(folder: Path, webhooks: WebhookSettings = HERE) -> Iterator[Running]:
    settings = Settings(webhooks=webhooks)
    with running_server(hearing(), folder / "heartline.db", settings=settings) as running:
        yield running


def call(server: Running, call_id: str) -> None:
    metadata = {"team": "billing", "caller": "K-17"}
    with native(server, call_id=call_id, agent="ann", metadata=metadata) as (source, _):
        send_audio(source, 0, 1_000)
        source.send('{"type":"stop"}')
        assert close_code(source) == 1000


def events_of(receiver: Receiver, secret: str) -> list[Any]:
    """Verify and parse, with other people's libraries, everything that came."""
    parsed = []
    for _, headers, body in list(receiver.taken):
        Webhook(secret).verify(body, headers)
        event = from_http(headers, body)
        assert event["id"] == headers["webhook-id"]
        parsed.append(event)
    return parsed


def test_a_call_is_told_of_and_its_report_is_there_when_that_is_said(tmp_path: Path) -> None:
    with receiving() as receiver, serving(tmp_path) as server:
        hooks = Hooks(server.calls.journal.engine)
        hook = hooks.add(f"http://127.0.0.1:{receiver.port}/in?tenant=1")
        live: list[bool] = []

        def look(body: bytes) -> None:
            if json.loads(body)["type"] == "heartline.report.ready":
                row = server.calls.journal.call("told")
                live.append(row is None or row.live)

        receiver.on_post = look
        call(server, "told")
        until(lambda: len(receiver.taken) == 3)
        secret = secret_of(read_secret(tmp_path), hook.id)
        events = {event["type"]: event for event in events_of(receiver, secret)}
        until(lambda: Outbox(server.calls.journal.engine).count() == 0)
    assert live == [False]
    assert set(events) == {
        "heartline.call.started", "heartline.call.ended", "heartline.report.ready",
    }  # fmt: skip
    ended = events["heartline.call.ended"]
    assert ended["subject"] == "told"
    assert ended.data == {
        "call_id": "told", "agent": "ann", "team": "billing", "customer": "K-17",
        "started_at": ended.data["started_at"], "reason": "ended", "duration_ms": 1_000,
    }  # fmt: skip
    assert events["heartline.report.ready"].data["report"] == "/v1/calls/told/report.json"
    assert {path for path, _, _ in receiver.taken} == {"/in?tenant=1"}
    assert receiver.taken[0][1]["host"] == f"127.0.0.1:{receiver.port}"


def test_what_did_not_arrive_is_told_again_with_the_same_id_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.webhooks.sender, "FIRST_WAIT_S", 0.1)
    with receiving() as receiver:
        receiver.answers = [503] * 1_000
        with serving(tmp_path) as running:
            hook = Hooks(running.calls.journal.engine).add(
                f"http://127.0.0.1:{receiver.port}/", ["heartline.call.ended"]
            )
            call(running, "lost")
            until(lambda: len(receiver.taken) >= 2)
        tried = len(receiver.taken)
        receiver.answers = []
        with serving(tmp_path) as running:
            until(lambda: Outbox(running.calls.journal.engine).count() == 0, timeout_s=70)
            (kept,) = Hooks(running.calls.journal.engine).list()
        events = events_of(receiver, secret_of(read_secret(tmp_path), hook.id))
    assert len(events) > tried
    assert len({event["id"] for event in events}) == 1
    assert kept.failing_since_ms is None


def test_a_receiver_on_this_machine_is_refused_unless_it_was_named(tmp_path: Path) -> None:
    with receiving() as receiver, serving(tmp_path, WebhookSettings()) as running:
        Hooks(running.calls.journal.engine).add(f"http://127.0.0.1:{receiver.port}/")
        call(running, "kept-in")
        engine = running.calls.journal.engine
        until(lambda: any(h.failing_since_ms is not None for h in Hooks(engine).list()))
    assert receiver.taken == []


# --------------------------------------------------------------------------- one attempt


def post(sender: Sender, url: str) -> server.webhooks.sender.Outcome:
    return asyncio.run(sender.post(url, "wh_1", "msg_1", b"{}"))


def test_nobody_is_followed_elsewhere() -> None:
    with receiving() as receiver:
        receiver.answers = [302]
        outcome = post(open_sender(HERE, b"s"), f"http://127.0.0.1:{receiver.port}/in")
        assert (outcome.arrived, outcome.what) == (False, "HTTP 302")
        assert [path for path, _, _ in receiver.taken] == ["/in"]


def test_the_connection_goes_to_the_judged_address_under_the_receivers_own_name(
    tmp_path: Path,
) -> None:
    names: list[str] = []

    async def resolve(host: str, _: int) -> Sequence[str]:
        names.append(host)
        return ["127.0.0.1"]

    certificate = certificate_for(tmp_path, "crm.test")
    settings = WebhookSettings(private_networks=("127.0.0.1/32",), ca_certificates=str(certificate))
    sender = Sender(settings, b"s", resolve=resolve)
    with receiving(certificate) as receiver:
        good = post(sender, f"https://crm.test:{receiver.port}/in")
        other = post(sender, f"https://other.test:{receiver.port}/in")
        stranger = post(Sender(HERE, b"s", resolve=resolve), f"https://crm.test:{receiver.port}/in")
    assert good.arrived
    assert receiver.taken[0][1]["host"] == f"crm.test:{receiver.port}"
    assert names == ["crm.test", "other.test", "crm.test"]
    assert (other.arrived, stranger.arrived, len(receiver.taken)) == (False, False, 1)


def test_a_receiver_that_is_not_there_is_an_outcome() -> None:
    with receiving() as receiver:
        port = receiver.port
    assert post(open_sender(HERE, b"s"), f"http://127.0.0.1:{port}/").what == "ConnectError"
    assert "no address" in post(open_sender(HERE, b"s"), "https://nowhere.invalid/").what


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (WebhookSettings(private_networks=("10.0.0.1/8",)), "private_networks"),
        (WebhookSettings(ca_certificates="nowhere.pem"), r"nowhere\.pem"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_at_the_start(
    settings: WebhookSettings, named: str
) -> None:
    with pytest.raises(WebhookError, match=named):
        open_sender(settings, b"s")


# --------------------------------------------------------------------------- the outbox


class Clock:
    def __init__(self) -> None:
        self.now_ms = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(database: Path | str) -> Iterator[Journal]:
    opened = Journal(database)
    yield opened
    opened.close()


@pytest.fixture
def outbox(journal: Journal, clock: Clock) -> Outbox:
    followed = Outbox(journal.database, now_ms=clock)
    followed.follow_journal()
    return followed


@pytest.fixture
def hook(journal: Journal, outbox: Outbox) -> Hook:
    hook = Hooks(journal.engine).add("https://crm.example/")
    journal.open_call("c1", "2026-01-01T00:00:00+00:00", "ann", team="billing")
    return hook


def kinds(taken: Sequence[Waiting]) -> list[str]:
    return [json.loads(waiting.body)["type"] for waiting in taken]


def promise(due_at: str) -> PromiseMade:
    return PromiseMade(
        at_ms=5_000, id="p1", text="I will call you back", what="call back", due="tomorrow",
        confidence=0.9, start_ms=4_000, due_at=due_at, precision="day",
    )  # fmt: skip


def alert() -> AlertRaised:
    return AlertRaised(at_ms=1, id="a", rule="sup_churn", reason="r", suggested_action="s")


def test_a_message_is_written_with_its_event_or_not_at_all(
    journal: Journal, outbox: Outbox, hook: Hook
) -> None:
    journal.append("c1", 1, [alert()])
    assert outbox.count() == 1
    ended: list[Event] = [CallEnded(at_ms=2)]
    with pytest.raises(StoreError):
        journal.append("c1", 1, ended)
    assert outbox.count() == 1
    assert kinds(outbox.take()) == ["heartline.alert.raised"]


def test_what_is_being_sent_belongs_to_one_process_and_returns_when_that_dies(
    journal: Journal, outbox: Outbox, hook: Hook, clock: Clock
) -> None:
    journal.append("c1", 1, [alert()])
    assert len(outbox.take()) == 1
    assert outbox.take() == []
    clock.now_ms += LEASE_MS
    assert len(outbox.take()) == 1


def test_a_report_is_ready_once_its_call_is_no_longer_live(
    journal: Journal, outbox: Outbox, hook: Hook
) -> None:
    journal.append("c1", 1, [CallEnded(at_ms=2)])
    assert kinds(outbox.take()) == ["heartline.call.ended"]
    journal.end_call("c1", 2)
    assert kinds(outbox.take()) == ["heartline.report.ready"]


def test_a_promise_is_told_of_as_it_goes_on(
    journal: Journal, outbox: Outbox, hook: Hook, clock: Clock
) -> None:
    begun = CallStarted(
        at_ms=0,
        call_id="c1",
        started_at="2026-01-01T00:00:00+00:00",
        channels=(Channel.AGENT, Channel.CUSTOMER),
        source="test",
    )
    confirmed = PromiseReviewed(at_ms=6_000, promise_id="p1", verdict="confirmed")
    journal.append("c1", 1, [begun, promise("2026-01-02T17:00:00+01:00"), confirmed])
    journal.append("c1", 4, [CallEnded(at_ms=7_000)])
    journal.end_call("c1", 7_000)
    told: list[tuple[str, str]] = []
    for now in (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)):
        tick(journal.engine, PromiseSettings(), now=now, tell=outbox.tell_of_promises)
        for waiting in outbox.take():
            body = json.loads(waiting.body)
            told.append((body["type"], body["data"].get("what", "")))
            outbox.arrived(waiting)
    promises = [(kind.rpartition(".")[2], what) for kind, what in told if "promise" in kind]
    assert promises == [("confirmed", "call back"), ("overdue", "call back")]


def test_no_other_system_hears_of_practice(journal: Journal, outbox: Outbox, hook: Hook) -> None:
    part = PracticePart(scenario="late_parcel", role="agent", reflection={}, attempts=())
    reserve(journal.engine, PracticeRow(call_id="c1", person="u", part=part))
    journal.append("c1", 1, [alert(), CallEnded(at_ms=2)])
    assert outbox.count() == 0


def test_an_erased_call_is_told_of_no_more(journal: Journal, outbox: Outbox, hook: Hook) -> None:
    journal.append("c1", 1, [alert(), CallEnded(at_ms=2)])
    journal.end_call("c1", 2)
    assert outbox.count() == 3
    erase_call(journal.engine, "c1", now=datetime.now(UTC))
    assert outbox.count() == 0


def test_a_receiver_that_takes_nothing_for_five_days_is_given_up(
    journal: Journal, outbox: Outbox, hook: Hook, clock: Clock
) -> None:
    journal.append("c1", 1, [alert()])
    began_ms, given_up = clock.now_ms, False
    while not given_up:
        (waiting,) = outbox.take()
        given_up = outbox.failed(waiting, DAY_MS // 2)
        clock.now_ms += DAY_MS // 2
    assert timedelta(milliseconds=clock.now_ms - began_ms) == timedelta(days=5.5)
    hooks = Hooks(journal.engine)
    assert [h.disabled for h in hooks.list()] == [True]
    assert outbox.count() == 0
    journal.append("c1", 2, [CallEnded(at_ms=2)])
    assert outbox.count() == 0
    hooks.enable(hook.id)
    journal.open_call("c2", "2026-01-01T00:00:00+00:00", "ann")
    journal.append("c2", 1, [CallEnded(at_ms=2)])
    assert outbox.count() == 2


def test_a_receiver_that_is_gone_for_good_is_told_no_more(
    journal: Journal, outbox: Outbox, hook: Hook
) -> None:
    journal.append("c1", 1, [alert()])
    (waiting,) = outbox.take()
    assert outbox.failed(waiting, 1_000, for_good=True)
    assert Hooks(journal.engine).get(hook.id).disabled


def test_the_outbox_is_bounded_and_counts_what_it_has_no_room_for(
    journal: Journal, clock: Clock
) -> None:
    small = Outbox(journal.database, max_waiting=1, now_ms=clock)
    small.follow_journal()
    Hooks(journal.engine).add("https://crm.example/")
    journal.open_call("c1", "2026-01-01T00:00:00+00:00", "ann")
    journal.append("c1", 1, [alert(), CallEnded(at_ms=2)])
    assert (small.count(), small.dropped) == (1, 2)


def test_without_a_receiver_nothing_is_kept(journal: Journal, outbox: Outbox) -> None:
    journal.open_call("c1", "2026-01-01T00:00:00+00:00", "ann")
    journal.append("c1", 1, [alert()])
    assert outbox.count() == 0


# --------------------------------------------------------------------------- the command line


def test_receivers_are_added_tested_and_removed_on_the_command_line(tmp_path: Path) -> None:
    config = tmp_path / "heartline.toml"
    config.write_text('[webhooks]\nprivate_networks = ["127.0.0.0/8"]\n', "utf-8")
    place = ["--data", str(tmp_path / "data"), "--config", str(config)]

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["webhooks", *arguments, *place])
        return done.exit_code, done.output + str(done.exception or "")

    with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/in"
        code, said = run("add", url, "--event", "heartline.call.ended")
        assert code == 0
        hook_id, secret = said.split()[1:3]
        assert secret == secret_of(read_secret(tmp_path / "data"), hook_id)
        assert hook_id in run("list")[1]
        assert run("test", hook_id) == (0, f"{hook_id} took the message: HTTP 204\n")
        (event,) = events_of(receiver, secret)
        assert event["type"] == "heartline.test"
        receiver.answers = [500]
        assert "HTTP 500" in run("test", hook_id)[1]
    assert run("enable", hook_id)[0] == 0
    assert run("remove", hook_id)[0] == 0
    assert "no receiver" in run("test", hook_id)[1]
    for wrong, why in (
        (["add", "ftp://crm.example"], "must be like"),
        (["add", "https://crm.example", "--event", "heartline.cue"], "no message heartline.cue"),
    ):
        code, said = run(*wrong)
        assert code == 1
        assert why in said
    stored = sa.create_engine(f"sqlite:///{tmp_path / 'data' / 'heartline.db'}")
    with stored.connect() as connection:
        dump = str(connection.exec_driver_sql("SELECT * FROM audit").all())
    assert "add_webhook" in dump
    assert secret not in dump
    stored.dispose()
