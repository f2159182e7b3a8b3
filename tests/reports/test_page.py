"""The report's page: hostile words stay words, advice points at moments, pictures stay in frame."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from conversation.events import Channel, EventLog, HoldEnded, HoldStarted, ProsodyFrame
from conversation.fact_names import AGENT_ACTS, CUSTOMER_ACTS
from reports.build import build_report
from reports.curves import curves, holds
from reports.html import render_html
from reports.model import (
    ActPart,
    CueAuditPart,
    CurvePart,
    CustomerWordsPart,
    OpportunityPart,
    ScorePart,
)
from reports.page_assets import content_security_policy, script, style
from reports.practice import to_practise
from reports.scorecard_view import customer_words, scorecard
from reports.summary import summary
from reports.timeline import whole_call
from reports.wording import ACT_WORDS, figure
from tests.golden.files import events_of
from tests.golden.scenes import SCENES

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "golden" / "sample.events.jsonl"


class Page(HTMLParser):
    """Collects elements, ids and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        assert not any(name.startswith("on") or name == "style" for name in given), (tag, given)
        if given.get("id"):
            self.ids.add(str(given["id"]))
        if (given.get("href") or "").startswith("#"):
            self.links.add(str(given["href"])[1:])


@pytest.mark.parametrize("name", SCENES)
def test_every_link_leads_somewhere_on_the_page(name: str) -> None:
    page = Page(render_html(build_report(events_of(name))))
    assert page.links <= page.ids
    assert page.tags.count("h1") == 1


def test_what_callers_say_is_never_markup() -> None:
    page = Page(render_html(build_report(events_of("hostile"))))
    assert page.tags.count("script") == 1
    assert not {"img", "iframe", "link"} & set(page.tags)
    text = render_html(build_report(events_of("hostile")))
    assert "<img src=x" not in text
    assert "<script>window" not in text


def test_redactions_are_blocks_with_a_name() -> None:
    text = render_html(build_report(events_of("trouble")))
    assert "title='Hidden: card'>▒▒▒▒</span>" in text
    assert "[card]" not in re.sub(r"<title>.*?</title>", "", text)


def test_three_things_to_practise_are_missed_opportunities_with_a_moment() -> None:
    report = build_report(events_of("upset"))
    chosen = to_practise(report)
    assert 1 <= len(chosen) <= 3
    assert all(0 < item.missed <= item.opportunities and item.advice for item in chosen)
    moments = {e.at_ms for part in report.scorecard for e in part.evidence}
    assert all(item.at_ms in moments for item in chosen)
    assert to_practise(build_report(events_of("calm"))) == ()


def test_a_line_with_spans_shows_what_was_missed_first_and_why_it_is_not_scored() -> None:
    report = build_report(events_of("upset"))
    spans = tuple(
        OpportunityPart(
            id=f"let_finish-{n}",
            start_ms=5_000 * n,
            end_ms=5_000 * n + 4_000,
            channel=Channel.CUSTOMER,
            verdict="missed" if n == 4 else "delivered",
            confidence=1.0,
            acts=(),
        )
        for n in range(1, 13)
    )
    line = ScorePart(
        behaviour="let_finish",
        opportunities=12,
        delivered=11,
        score=None,
        evidence=(),
        spans=spans,
        figures={
            "per_10min": 2.5,
            "per_10_customer_turns": 0.91,
            "overlap_ms": 2_488.0,
            "resumed": None,
        },
        note="the channels leak",
    )
    text = scorecard(replace(report, scorecard=(line,)))
    assert "needed 12, given 11" in text
    assert "not scored: the channels leak" in text
    assert "0.9 in 10 of their turns" in text
    assert "2.5 s of talking over them" in text
    assert "in 10 minutes" not in text, "too little speech for a rate"
    rated = replace(report.interruptions.by[Channel.AGENT], per_10min=2.5)
    by = {**report.interruptions.by, Channel.AGENT: rated}
    parts = replace(report.interruptions, by=by)
    assert "2.5 in 10 minutes" in scorecard(replace(report, scorecard=(line,), interruptions=parts))
    assert text.index("missed") < text.index("given</span>")
    assert "and 8 more" in text
    page = Page(render_html(replace(report, scorecard=(line,))))
    assert page.links <= page.ids


def test_the_customers_words_are_told_by_thirds() -> None:
    part = CustomerWordsPart(
        acts_by_third={"frustration": (2, 1, 0), "gratitude": (0, 0, 1)}, turns=(), trend="better"
    )
    text = customer_words(part)
    assert "<td>frustration</td><td>2</td><td>1</td><td>–</td>" in text
    assert "warmer" in text
    assert customer_words(None) == ""


def test_one_channel_makes_no_claim() -> None:
    report = build_report(events_of("one_channel"))
    assert "nobody is said to interrupt" in summary(report)
    assert "id='interruptions'" not in render_html(report)


def test_the_policy_names_this_style_and_this_script_alone() -> None:
    policy = content_security_policy(served=False)
    assert policy.count("sha256-") == 2
    assert "unsafe-inline" not in policy
    assert "light-dark(" in style()
    assert "</script" not in script()


def test_holds_last_until_they_end_or_the_call_does() -> None:
    events = [HoldStarted(at_ms=1_000), HoldEnded(at_ms=3_000), HoldStarted(at_ms=8_000)]
    assert [(h.begin_ms, h.end_ms) for h in holds(events, 9_000)] == [
        (1_000, 3_000),
        (8_000, 9_000),
    ]


def test_curves_average_two_seconds_and_leave_unknown_unknown() -> None:
    def frame(begin_ms: int, level: float | None) -> ProsodyFrame:
        return ProsodyFrame(
            at_ms=begin_ms + 240,
            channel=Channel.AGENT,
            begin_ms=begin_ms,
            end_ms=begin_ms + 240,
            usable_ms=240,
            level_db=1.0,
            level_delta_db=level,
            alpha_db=0.0,
            slope_db_oct=0.0,
            f0_st=None,
            f0_delta_st=None,
            z_tilt=None,
            score=None,
            state="ready",
        )

    (curve,) = curves([frame(0, 2.0), frame(240, 4.0), frame(2_400, None)])
    assert curve.at_ms == (1_000, 3_000)
    assert curve.level_delta_db == (3.0, None)
    assert curve.f0_delta_st == (None, None)


def test_the_page_says_how_right_the_cues_were_and_why_some_were_held_back() -> None:
    report = build_report(events_of("upset"))
    audit = CueAuditPart(
        rule="talk_over",
        fired=3,
        confirmed=2,
        false=1,
        missed=4,
        precision=0.6667,
        precision_interval=(0.21, 0.94),
        fired_by_rule={"talk_over": 3},
        withheld={"pace": {"cooldown": 5, "<b>": 1}},
    )
    text = render_html(replace(report, cue_audit=audit))
    assert "2 (67%, 95 % interval 21% – 94%)" in text
    assert "shown shortly before" in text
    assert "<b></td>" not in text
    assert "How right the cues were" not in render_html(replace(report, cue_audit=None))


def test_every_figure_of_the_scorecard_has_its_words_and_unit() -> None:
    names = {"upset", "calm", "trouble", "one_channel"}
    found = {
        k for n in names for part in build_report(events_of(n)).scorecard for k in part.figures
    }
    assert found
    for name in found:
        said = figure(name, 1_250.0 if name.endswith("_ms") else 0.5)
        assert "_" not in said
        assert not name.endswith("_ms") or said.startswith("1.2 s "), said


def test_acts_are_named_alike_in_the_report_and_on_the_screens() -> None:
    assert set(ACT_WORDS) == AGENT_ACTS | CUSTOMER_ACTS
    screens = (ROOT / "dashboard" / "src" / "strings.ts").read_text("utf-8")
    for kind, words in ACT_WORDS.items():
        assert f'{kind}: "{words}",' in screens


def test_a_phrase_to_avoid_comes_with_a_better_one() -> None:
    report = build_report(events_of("upset"))
    act = ActPart(
        id="act-1", channel=Channel.AGENT, kind="avoid_phrase", start_ms=14_200, end_ms=17_000,
        text="that is our policy", confidence=0.9,
    )  # fmt: skip
    span = OpportunityPart(
        id="wording-1", start_ms=14_200, end_ms=17_500, channel=Channel.AGENT, verdict="missed",
        confidence=1.0, acts=("act-1",),
    )  # fmt: skip
    line = ScorePart(
        behaviour="wording", opportunities=1, delivered=0, score=None, evidence=(), spans=(span,)
    )
    text = scorecard(replace(report, acts=(act,), scorecard=(line,)))
    assert "Better: “Here is what I can do, and why it works this way.”" in text
    other = replace(report, acts=(replace(act, text="hm"),), scorecard=(line,))
    assert "Better:" not in scorecard(other)


def test_the_timeline_draws_everything_that_it_names() -> None:
    sample = [EventLog.decode(line) for line in SAMPLE.read_bytes().splitlines()]
    heard = tuple(
        CurvePart(
            channel=c, at_ms=(1_000, 3_000), level_delta_db=(1.0, 2.0), f0_delta_st=(0.5, 0.0)
        )
        for c in (Channel.AGENT, Channel.CUSTOMER)
    )
    report = replace(build_report(sample), curves=heard)
    drawn = whole_call(report) + whole_call(build_report(events_of("trouble")))
    for part in (
        "lane-agent", "lane-customer", "both", "interruption", "cut", "silence", "hold", "cue",
        "act", "curve agent", "curve customer",
    ):  # fmt: skip
        assert f'class="{part}"' in drawn, part
    assert "against the speaker's usual, dB" in drawn
    assert "against the speaker's usual, semitones" in drawn
    assert "<title>0:34.1 agent took the floor</title>" in drawn


def test_a_behaviour_that_nothing_called_for_is_not_applicable() -> None:
    text = scorecard(build_report(events_of("calm")))
    assert "Not applicable, no opportunity: " in text
    assert "needed 0" not in text
