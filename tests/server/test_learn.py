"""The page for new colleagues: what it links exists, and no cue is left without its technique."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
import soundfile

from server.learn import CALL, learn_page
from server.rule_edits import described
from server.runner import Running
from tests.server.live import serving

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving() as running:
        yield running


def fetch(server: Running, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}
    content = answer.read()
    connection.close()
    return answer.status, found, content


def test_the_page_is_there_before_anybody_signs_in_and_every_link_leads_somewhere(
    server: Running,
) -> None:
    status, headers, content = fetch(server, "/learn")
    page = content.decode()
    assert status == 200
    assert "unsafe-inline" not in headers["content-security-policy"]
    ids = set(re.findall(r'id="([^"]+)"', page))
    inside = {target for target in re.findall(r'href="#([^"]+)"', page)}
    assert inside
    assert inside <= ids
    for place in set(re.findall(r'(?:href|src)="(/[^"#]*)', page)) - {"/"}:
        assert fetch(server, place)[0] == 200, place
    assert not re.findall(r'(?:href|src)="https?:', page)


def test_every_time_of_the_text_is_a_moment_of_the_call_that_is_served(server: Running) -> None:
    _, headers, content = fetch(server, CALL)
    assert headers["content-type"] == "audio/flac"
    length_s = soundfile.info(io.BytesIO(content)).duration
    for asked, first, last in (("bytes=4-9", 4, 9), ("bytes=100-", 100, len(content) - 1)):
        status, answered, part = fetch(server, CALL, range=asked)
        assert (status, part) == (206, content[first : last + 1])
        assert answered["content-range"] == f"bytes {first}-{last}/{len(content)}"
    moments = re.findall(r'data-at="(\d+)"', fetch(server, "/learn")[2].decode())
    assert len(moments) >= 12
    assert all(0 < int(at_s) < length_s for at_s in moments)


def test_every_cue_that_an_agent_may_see_is_linked_from_the_technique_it_serves(
    server: Running,
) -> None:
    rules = described(server.calls.rule_source, server.calls.disabled_rules)
    page = learn_page(rules)
    techniques = {r["id"] for r in rules if r["audience"] == "agent" and r["technique"] is not None}
    linked = set(re.findall(r'class="cue" href="#cue-([a-z_]+)"', page))
    assert linked == techniques
    for rule in rules:
        if rule["id"] in techniques:
            assert f'id="cue-{rule["id"]}">{rule["text"].replace("&", "&amp;")}' in page.replace(
                "&#x27;", "'"
            )


def test_a_cue_that_is_switched_off_here_says_so(server: Running) -> None:
    rules = described(server.calls.rule_source, server.calls.disabled_rules)
    off = next(r for r in rules if r["id"] == "pause_barge")
    assert not off["enabled"]
    page = learn_page(rules)
    assert "they&#x27;re still thinking (switched off here)" in page
    on = [{**r, "enabled": True} for r in rules]
    assert "switched off here" not in learn_page(on)


def test_the_benefits_stand_as_claims_beside_what_is_measured(server: Running) -> None:
    page = fetch(server, "/learn")[2].decode()
    for claimed in ("trust", "sales", "morale", "escalations", "loyal", "recommend"):
        assert claimed in page
    assert "<em>claims of theirs</em>, not measurements" in page
