"""Trends, rule changes and what is stored about oneself, over HTTP on a real server with users."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from conversation.events import Channel, FinalTranscript
from server.people.roles import Role
from server.rule_edits import FILE
from server.runner import Running
from server.store.figures import calls_without_figures, forget_figures
from server.store.tables import CALL_FIGURES
from tests.e2e.stage import Stage, staged_server
from tests.golden.files import events_of
from tests.server.test_access import Browser, close_code

pytestmark = pytest.mark.server
PASSWORD = "a long enough password"
AGENTS = ("ann", "bob", "cem", "dee", "eve")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Five agents of one team with 20 calls each, one of another team with one call."""
    folder = tmp_path_factory.mktemp("desk")
    with staged_server(folder / "heartline.db") as running:
        people = running.access.accounts
        for name in (*AGENTS, "zoe"):
            people.add(name, Role.AGENT, PASSWORD, teams=["billing"])
        for role in (Role.SUPERVISOR, Role.COACH, Role.AUDITOR, Role.ADMIN):
            people.add(str(role), role, PASSWORD, teams=["billing"])
        people.add("small", Role.SUPERVISOR, PASSWORD, teams=["sales"])
        noon = datetime.now(UTC).replace(hour=12)
        for n in range(100):
            began = (noon - timedelta(days=1 + n // 10, minutes=n)).isoformat()
            scene = "upset" if n % 10 < 2 else "calm"
            running.past(f"c{n}", events_of(scene), AGENTS[n % 5], team="billing", started_at=began)
        began = (noon - timedelta(days=1)).isoformat()
        running.past("z1", events_of("trouble"), "zoe", team="sales", started_at=began)
        yield running


def browser(stage: Stage, name: str) -> Browser:
    return Browser(cast(Running, stage), name)


def get(stage: Stage, name: str, path: str) -> tuple[int, Any]:
    status, _, body = browser(stage, name).ask("GET", path)
    return status, json.loads(body)


def scopes(stage: Stage, name: str) -> list[tuple[str, str]]:
    return [(s["kind"], s["name"]) for s in get(stage, name, "/v1/trends/scopes")[1]]


def test_each_role_is_offered_the_trends_that_are_theirs(stage: Stage) -> None:
    assert scopes(stage, "ann") == [("own", "ann")]
    assert scopes(stage, "supervisor") == [("team", "billing")]
    assert scopes(stage, "coach") == [("team", "billing"), *(("agent", name) for name in AGENTS)]
    assert scopes(stage, "auditor") == [("team", "billing"), ("team", "sales")]


def test_nobody_gets_the_trends_of_whom_they_may_not_see(stage: Stage) -> None:
    for name, query in (
        ("ann", "kind=agent&name=bob"),
        ("ann", "kind=team&name=billing"),
        ("supervisor", "kind=agent&name=ann"),
        ("supervisor", "kind=team&name=sales"),
        ("coach", "kind=agent&name=zoe"),
        ("admin", "kind=agent&name=ann"),
    ):
        assert get(stage, name, f"/v1/trends?{query}")[0] == 404, (name, query)
    assert get(stage, "ann", "/v1/trends?kind=own&days=5")[0] == 400


def test_a_teams_trend_names_nobody_and_a_small_team_gets_none(stage: Stage) -> None:
    status, trend = get(stage, "supervisor", "/v1/trends?kind=team&name=billing&days=30")
    assert status == 200
    assert trend["enough"]
    assert (trend["calls"], trend["agents"]) == (100, 5)
    assert sum(point["calls"] or 0 for point in trend["points"]) == 100
    assert not [name for name in AGENTS if f'"{name}"' in json.dumps(trend)]
    status, small = get(stage, "small", "/v1/trends?kind=team&name=sales")
    assert status == 200
    assert not small["enough"]
    assert small["calls"] == 0


def test_figures_are_kept_made_anew_after_a_dispute_and_hold_no_words(stage: Stage) -> None:
    trend = get(stage, "ann", "/v1/trends?kind=own&days=30")[1]
    assert (trend["calls"], trend["enough"]) == (20, True)
    with stage.calls.journal.engine.connect() as connection:
        kept = list(connection.scalars(sa.select(CALL_FIGURES.c.payload)))
    assert len(kept) >= 20
    assert not [payload for payload in kept if b"nobody ever listens" in payload]
    ann = browser(stage, "ann")
    report = json.loads(ann.ask("GET", "/v1/calls/c0/report.json")[2])
    span = report["interruptions"]["events"][0]["id"]
    ann.ask("POST", "/v1/calls/c0/disputes", span=span, verdict="was_needed")
    after = get(stage, "ann", "/v1/trends?kind=own&days=30")[1]
    assert after["behaviours"] != trend["behaviours"]
    assert ann.ask("POST", "/v1/calls/c0/disputes", span=span, verdict="withdrawn")[0] == 204


def test_figures_are_worked_out_ahead_for_finished_calls_alone(stage: Stage) -> None:
    engine = stage.calls.journal.engine
    waiting = calls_without_figures(engine, 0, 1_000)
    assert waiting
    get(stage, "coach", "/v1/trends?kind=team&name=billing&days=90")
    get(stage, "small", "/v1/trends?kind=team&name=sales&days=90")
    assert calls_without_figures(engine, 0, 1_000) == []
    forget_figures(engine, "c7")
    assert calls_without_figures(engine, 0, 1_000) == ["c7"]
    assert calls_without_figures(engine, 10**15, 1_000) == []


def test_the_first_answer_tells_a_stranger_nothing_and_opens_ones_own_call(stage: Stage) -> None:
    port = cast(Running, stage)
    nobody = json.loads(Browser(port).ask("GET", "/v1/landing")[2])
    assert nobody == {"me": None, "users": True, "live": None, "ticket": None}
    stage.begin("calm", 5, "live-bob", "bob", "billing")
    assert get(stage, "ann", "/v1/landing")[1]["live"] is None
    landing = get(stage, "bob", "/v1/landing")[1]
    assert (landing["live"], landing["me"]["role"]) == ("live-bob", "agent")
    assert close_code(port, "live-bob", landing["ticket"]) is None
    assert close_code(port, "live-bob", landing["ticket"]) == 4401
    stage.end("live-bob")


# --------------------------------------------------------------------------- rules

OFF = {"escalation_ask": {"enabled": False}}


def test_a_change_is_tried_on_ones_own_past_calls_and_nothing_is_saved(stage: Stage) -> None:
    coach = browser(stage, "coach")
    status, _, body = coach.ask("POST", "/v1/rules/trial", changes=OFF, calls=10)
    assert status == 200
    trial = json.loads(body)
    assert trial["calls"] == 10
    (rule,) = trial["rules"]
    assert (rule["rule"], rule["before"], rule["after"]) == ("escalation_ask", 2, 0)
    assert len(rule["gone"]) == 2
    assert rule["come"] == []
    assert trial["total_before"] - trial["total_after"] == 2
    nobody = json.loads(
        browser(stage, "small").ask("POST", "/v1/rules/trial", changes=OFF, calls=10)[2]
    )
    assert nobody["calls"] == 1
    by_admin = json.loads(
        browser(stage, "admin").ask("POST", "/v1/rules/trial", changes=OFF, calls=11)[2]
    )
    assert {e["evidence_line"] for e in by_admin["rules"][0]["gone"]} == {""}
    rules = get(stage, "coach", "/v1/rules")[1]
    assert {r["id"]: r["enabled"] for r in rules}["escalation_ask"] is True


def test_an_admin_saves_for_new_calls_and_goes_back_and_it_is_written_down(stage: Stage) -> None:
    admin = browser(stage, "admin")
    assert browser(stage, "supervisor").ask("POST", "/v1/rules", changes=OFF)[0] == 403
    change = {"dead_air": {"cooldown_ms": 90_000}}
    assert admin.ask("POST", "/v1/rules", changes=change)[0] == 204
    source = stage.calls.rule_source
    assert {r.id: r for r in source.current().rules}["dead_air"].cooldown_ms == 90_000
    assert source.folder is not None
    path = source.folder / FILE
    assert path.read_text("utf-8") == "[dead_air]\ncooldown_ms = 90000\n"
    (shown,) = [r for r in get(stage, "ann", "/v1/rules")[1] if r["id"] == "dead_air"]
    assert shown["packaged"] == {"cooldown_ms": 60_000}
    notes = [e.note for e in stage.access.audit.entries(limit=9) if e.action == "edit_rules"]
    assert notes == ["dead_air.cooldown_ms"]
    assert admin.ask("POST", "/v1/rules", changes={"dead_air": {"cooldown_ms": None}})[0] == 204
    assert path.read_text("utf-8") == ""
    assert {r.id: r for r in source.current().rules}["dead_air"].cooldown_ms == 60_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dead_air": {"priority": 9}}, "out of range"),
        ({"dead_air": {"text": "Say something"}}, "cannot be changed here"),
        ({"dead_air": {"when": "agent.speeking"}}, "did you mean"),
        ({"no_such": {"priority": 1}}, "no rule"),
        ({"site_rule": {"priority": 1}}, "site.toml"),
        ({}, "1 to 100"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_reason(
    stage: Stage, changes: dict[str, Any], reason: str
) -> None:
    folder = stage.calls.rule_source.folder
    assert folder is not None
    folder.mkdir(exist_ok=True)
    site = folder / "site.toml"
    site.write_text(
        '[site_rule]\ntext = "Wait"\nwhen = "hold"\nclear_when = "not hold"\ncooldown_ms = 1000\n'
        'ttl_ms = 5000\nmax_per_call = 1\npriority = 4\nlatency_class = "A"\n'
    )
    try:
        for path in ("/v1/rules/trial", "/v1/rules"):
            status, _, body = browser(stage, "admin").ask("POST", path, changes=changes)
            assert status == 400
            assert reason in json.loads(body)["detail"]
    finally:
        site.unlink()


# --------------------------------------------------------------------------- my data


def test_an_agent_takes_away_what_is_about_them_and_nothing_a_customer_said(stage: Stage) -> None:
    data = get(stage, "bob", "/v1/me/data")[1]
    assert (data["calls"], data["agent"], data["held"]) == (21, "bob", 0)
    status, headers, body = browser(stage, "bob").ask("GET", "/v1/me/data.zip")
    assert status == 200
    assert "attachment" in headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = archive.namelist()
        whole = b"".join(archive.read(name) for name in names).decode()
        calls = json.loads(archive.read("calls.json"))
    assert len(calls) == 21
    assert {call["agent"] for call in calls} == {"bob"}
    finals = [
        (event.channel, event.text)
        for event in events_of("upset")
        if isinstance(event, FinalTranscript) and event.text is not None
    ]
    mine = [text for channel, text in finals if channel is Channel.AGENT]
    theirs = [text for channel, text in finals if channel is Channel.CUSTOMER]
    assert mine
    assert theirs
    assert all(text in whole for text in mine if '"' not in text)
    assert not [text for text in theirs if text in whole]
    newest = stage.access.audit.entries(limit=1)[0]
    assert (newest.action, newest.subject) == ("export_own_data", "bob")


def test_an_erasure_is_asked_for_decided_and_certified(stage: Stage) -> None:
    zoe, admin = browser(stage, "zoe"), browser(stage, "admin")
    status, _, body = zoe.ask("POST", "/v1/me/erasure")
    assert status == 201
    asked = json.loads(body)
    assert json.loads(zoe.ask("POST", "/v1/me/erasure")[2])["id"] == asked["id"]
    path = f"/v1/erasure-requests/{asked['id']}"
    assert zoe.ask("POST", path, verdict="erase")[0] == 403
    assert admin.ask("POST", path, verdict="nonsense")[0] == 400
    status, _, body = admin.ask("POST", path, verdict="erase")
    assert status == 200
    done = json.loads(body)
    assert done["state"] == "done"
    assert done["certificate"].startswith("er_")
    assert stage.calls.journal.call("z1") is None
    assert admin.ask("POST", path, verdict="decline")[0] == 404
    data = get(stage, "zoe", "/v1/me/data")[1]
    assert (data["calls"], data["requests"][0]["state"]) == (0, "done")
    assert get(stage, "ann", "/v1/me/data")[1]["calls"] == 20
    assert browser(stage, "coach").ask("POST", "/v1/me/erasure")[0] == 400


def test_a_held_call_is_not_erased_and_the_request_stays_open(stage: Stage) -> None:
    from server.store.retention import set_legal_hold

    eve, admin = browser(stage, "eve"), browser(stage, "admin")
    asked = json.loads(eve.ask("POST", "/v1/me/erasure")[2])
    set_legal_hold(stage.calls.journal.engine, "c4", on=True)
    path = f"/v1/erasure-requests/{asked['id']}"
    status, _, body = admin.ask("POST", path, verdict="erase")
    assert status == 400
    assert "legal hold" in json.loads(body)["detail"]
    assert get(stage, "eve", "/v1/me/data")[1]["held"] == 1
    assert json.loads(admin.ask("POST", path, verdict="decline")[2])["state"] == "declined"


def test_files_with_a_hash_are_kept_for_good_and_go_out_packed(stage: Stage) -> None:
    from server.app import STATIC

    (name,) = [path.name for path in (STATIC / "assets").glob("boot-*.js")]
    plain = browser(stage, "ann").ask("GET", f"/assets/{name}")
    packed = browser(stage, "ann").ask("GET", f"/assets/{name}", {"Accept-Encoding": "gzip"})
    assert "immutable" in plain[1]["cache-control"]
    assert packed[1]["content-encoding"] == "gzip"
    assert len(packed[2]) < len(plain[2])
    for wrong in ("nothing.js", "..%2Findex.html"):
        assert browser(stage, "ann").ask("GET", f"/assets/{wrong}")[0] == 404


def test_rules_that_cannot_be_written_say_where(tmp_path: Path) -> None:
    from conversation.rules import RuleError
    from server.rule_edits import draft, save
    from server.rules_folder import RuleSource, RulesSettings

    source = RuleSource(RulesSettings())
    wanted = draft(source, {"dead_air": {"cooldown_ms": 90_000}})
    with pytest.raises(RuleError, match=r"set \[rules\] folder"):
        save(source, wanted)
    (tmp_path / "file").write_text("")
    source.adopt(tmp_path / "file")
    with pytest.raises(RuleError, match="cannot be written"):
        save(source, wanted)
