"""What receivers are told, how it is signed, and where it may go.

Assertions: A39.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from cloudevents.v1.http import from_http
from standardwebhooks import Webhook, WebhookVerificationError

from conversation.events import (
    AlertRaised,
    CallEnded,
    CallStarted,
    Channel,
    CueRaised,
    PromiseMade,
    PromiseReviewed,
)
from server.store.promises import NOTICE_KINDS, Notice, Promised
from server.webhooks.address import AddressRefused, find_target, is_public
from server.webhooks.messages import (
    MEDIA_TYPE,
    TYPES,
    Told,
    body_of,
    messages_of,
    promise_message,
    secret_of,
    signed_headers,
)
from server.webhooks.sender import LONGEST_WAIT_S, wait_s
from server.webhooks.settings import WebhookSettings

pytestmark = pytest.mark.unit
CALL = {"agent": "ann", "team": "billing", "customer": "K-17", "started_at": "2026-01-01T09:00"}
DUE = "2026-01-02T17:00:00+01:00"
SECRET = "whsec_aGVhcnRsaW5lLXRlc3Qtc2VjcmV0LTAx"


def test_the_signature_is_the_golden_one_of_the_specification() -> None:
    headers = signed_headers(SECRET, "msg_1", 1767225600, b'{"a":1}')
    assert headers["webhook-signature"] == "v1,OyYMB/Y/QMXugFPF9lAg0/KnjOh8swnzbewhfIxVAK4="


def test_an_independent_verifier_takes_what_is_signed_and_refuses_what_was_changed() -> None:
    secret = secret_of(b"server", "wh_1")
    now_s = round(datetime.now(UTC).timestamp())
    body = b'{"a":1}'
    verifier = Webhook(secret)
    good = signed_headers(secret, "msg_1", now_s, body)
    assert verifier.verify(body, good) == {"a": 1}
    for wrong_body, headers in (
        (b'{"a":2}', good),
        (body, {**good, "webhook-id": "msg_2"}),
        (body, signed_headers(secret, "msg_1", now_s - 301, body)),
        (body, signed_headers(secret_of(b"server", "wh_2"), "msg_1", now_s, body)),
        (body, signed_headers(secret_of(b"other", "wh_1"), "msg_1", now_s, body)),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(wrong_body, headers)


def test_a_message_is_a_structured_cloudevent() -> None:
    (told,) = messages_of("c1", AlertRaised(
        at_ms=9_000, id="a1", rule="sup_churn", reason="wants to leave",
        suggested_action="offer retention",
    ), CALL)  # fmt: skip
    assert isinstance(told, Told)
    body = body_of(told, at="2026-01-01T10:00:00+00:00", source="https://heartline.example")
    event = from_http({"content-type": MEDIA_TYPE}, body)
    assert event["type"] == "heartline.alert.raised"
    assert (event["source"], event["subject"]) == ("https://heartline.example", "c1")
    assert event["id"] == told.id
    assert event.data["agent"] == "ann"
    assert event.data["rule"] == "sup_churn"


def test_each_event_means_what_receivers_are_promised() -> None:
    started = CallStarted(
        at_ms=0, call_id="c1", started_at="x", channels=(Channel.AGENT,), source="twilio"
    )
    events = [started, CallEnded(at_ms=60_000, reason="ended")]
    told = [m for event in events for m in messages_of("c1", event, CALL)]
    assert [m.type for m in told] == [
        "heartline.call.started",
        "heartline.call.ended",
        "heartline.report.ready",
    ]
    assert {m.type for m in told} < set(TYPES)
    assert len({m.id for m in told}) == 3


def test_a_cue_never_leaves_the_agents_screen() -> None:
    cue = CueRaised(
        at_ms=1, id="c", rule="slow_down", text="Slow down", priority=1, evidence_line="", ttl_ms=1
    )
    assert messages_of("c1", cue, CALL) == []


def test_of_promises_only_what_became_of_the_confirmed_ones_is_told() -> None:
    made = PromiseMade(
        at_ms=5_000, id="p1", text="I will call you back", what="call back", due="tomorrow",
        confidence=0.9, start_ms=4_000, due_at=DUE, precision="day",
    )  # fmt: skip
    said = PromiseReviewed(at_ms=1, promise_id="p1", verdict="confirmed", what=None, due_at=None)
    assert messages_of("c1", made, CALL) == messages_of("c1", said, CALL) == []
    promise = Promised(
        id="c1.p1", call_id="c1", agent="ann", team="billing", what="call back", who="me",
        due="tomorrow", due_at=DUE, precision="day", status="open", done_at=None,
    )  # fmt: skip
    told = [
        promise_message(Notice(kind=kind, promise=promise, tenant="default"), CALL)
        for kind in NOTICE_KINDS
    ]
    assert [m.type.removeprefix("heartline.promise.") for m in told] == list(NOTICE_KINDS)
    assert {m.type for m in told} < set(TYPES)
    assert told[0].data["what"] == "call back"
    moved = promise_message(
        Notice(
            kind="due_soon",
            promise=msgspec.structs.replace(promise, due_at=None),
            tenant="default",
        ),
        CALL,
    )
    assert len({m.id for m in (*told, moved)}) == len(told) + 1


def test_waits_grow_from_seconds_to_hours_and_spread() -> None:
    waits = [wait_s(n, 0.5) for n in range(1, 12)]
    assert waits[0] == 5.0
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT_S
    assert wait_s(1, 0.0) < 5.0 < wait_s(1, 1.0)


# --------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
        "2001:0:53aa:64c:0:0:80ff:fffe",
    ],
)  # fmt: skip
def test_no_address_of_a_machine_or_a_private_network_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


TEN = {"private_networks": ("10.0.0.0/8",)}


def found(url: str, *answers: str, **settings: object) -> str:
    """Return the address that a message would go to, or why it goes nowhere."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        return answers

    try:
        target = asyncio.run(find_target(url, WebhookSettings(**settings), resolve))  # type: ignore[arg-type]
    except AddressRefused as error:
        return str(error)
    return target.url


@pytest.mark.parametrize(
    ("url", "answers", "settings", "outcome"),
    [
        ("https://crm.example/in?a=1", ["8.8.8.8"], {}, "https://8.8.8.8:443/in?a=1"),
        ("https://crm.example:8443", ["2606:2800::1"], {}, "https://[2606:2800::1]:8443/"),
        ("http://crm.example/in", ["8.8.8.8"], {}, "must begin with https"),
        ("https://crm.example/in", ["8.8.8.8", "10.0.0.1"], {}, "10.0.0.1, which is not public"),
        ("https://crm.example/in", ["::ffff:169.254.169.254"], {}, "not public"),
        ("https://2130706433/in", ["127.0.0.1"], {}, "not public"),
        ("https://crm.example/in", ["10.0.0.1"], TEN, "https://10.0.0.1:443/in"),
        ("http://crm.example/in", ["10.0.0.1"], TEN, "http://10.0.0.1:80/in"),
        ("https://crm.example/in", ["8.8.8.8"], {"hosts": ("a.example",)}, "not in webhooks.hosts"),
        ("https://a.example/in", ["8.8.8.8"], {"hosts": ("a.example",)}, "https://8.8.8.8:443/in"),
        ("https://u:p@crm.example/in", ["8.8.8.8"], {}, "password"),
        ("https://crm.example/in#x", ["8.8.8.8"], {}, "must be like"),
        ("https://crm.example/a b", ["8.8.8.8"], {}, "must be like"),
        ("ftp://crm.example/in", ["8.8.8.8"], {}, "must be like"),
        ("https:///in", ["8.8.8.8"], {}, "must be like"),
        ("https://crm.example:99999/", ["8.8.8.8"], {}, "no web address"),
    ],
)  # fmt: skip
def test_an_address_is_judged_by_everything_that_its_name_resolves_to(
    url: str, answers: list[str], settings: dict[str, object], outcome: str
) -> None:
    assert outcome in found(url, *answers, **settings)


def test_a_name_is_asked_once_so_that_a_second_answer_gains_nothing() -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])

    async def rebinding(_: str, __: int) -> Sequence[str]:
        return next(answers)

    target = asyncio.run(find_target("https://crm.example/", WebhookSettings(), rebinding))
    assert (target.address, target.authority) == ("8.8.8.8", "crm.example")
    assert next(answers) == ["127.0.0.1"]


def test_the_body_names_no_secret() -> None:
    told, _ = messages_of("c1", CallEnded(at_ms=60_000, reason="ended"), CALL)
    assert isinstance(told, Told)
    body = json.loads(body_of(told, at="2026-01-01T10:00:00+00:00", source="/"))
    assert set(body) == {
        "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data",
    }  # fmt: skip
