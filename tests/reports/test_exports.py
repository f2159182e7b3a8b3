"""Every export is read back by a reader that is not ours, and says what the report says."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pandas
import parselmouth
import pytest
import srt
import textgrid
import webvtt

from conversation.events import (
    Channel,
    Event,
    EventLog,
    HoldEnded,
    HoldStarted,
    OverlapClass,
    PromiseMade,
)
from reports.build import build_report
from reports.exports import EXPORTS, ExportError, export
from reports.exports.facts import INTERRUPTING
from reports.exports.tables import safe
from reports.model import Report

pytestmark = pytest.mark.unit
DATA = Path(__file__).parents[1] / "data"
STRANGE = 'Say <b> "loud" & clear\n\nnow --> 100 % of it'


@cache
def events() -> tuple[Event, ...]:
    lines = (DATA / "golden" / "sample.events.jsonl").read_bytes().splitlines()
    return tuple(EventLog.decode(line) for line in lines)


@cache
def report() -> Report:
    """The sample call, with one utterance of characters that every format must escape."""
    built = build_report(events())
    first = msgspec.structs.replace(built.transcript[0], text=STRANGE)
    return msgspec.structs.replace(built, transcript=(first, *built.transcript[1:]))


def written(name: str, of: Report | None = None) -> dict[str, bytes]:
    return export(name, of or report(), events())


def one(name: str, of: Report | None = None) -> str:
    (content,) = written(name, of).values()
    return content.decode("utf-8")


def folded(text: str | None) -> str:
    return " ".join((text or "").split())


def test_every_export_is_the_same_bytes_each_time() -> None:
    assert [written(name) for name in EXPORTS] == [written(name) for name in EXPORTS]


def test_an_unknown_export_names_those_there_are() -> None:
    with pytest.raises(ExportError, match=r"no export 'pdf'.*vcon"):
        export("pdf", report(), events())


# ------------------------------------------------------------------ captions


def test_webvtt_gives_back_every_utterance_with_speaker_and_time() -> None:
    captions = webvtt.from_buffer(io.StringIO(one("vtt"))).captions
    spoken = [part for part in report().transcript if part.text]
    assert len(captions) == len(spoken)
    for caption, part in zip(captions, spoken, strict=True):
        assert caption.identifier == part.id
        assert abs(caption.start_in_seconds * 1000 - part.start_ms) <= 1000
        assert caption.start.endswith(f".{part.start_ms % 1000:03d}")
        assert caption.end.endswith(f".{part.end_ms % 1000:03d}")
        assert caption.voice == part.channel.capitalize()
        assert caption.text.replace("&lt;", "<").replace("&gt;", ">").replace(
            "&amp;", "&"
        ) == folded(part.text)


def test_webvtt_notes_every_interruption_and_no_backchannel() -> None:
    notes = [block for block in one("vtt").split("\n\n") if block.startswith("NOTE\n")]
    found = [e for e in report().interruptions.events if e.overlap_class in INTERRUPTING]
    assert len(notes) == len(found) == 3
    assert not any("backchannel" in note for note in notes)


def test_srt_gives_back_every_utterance_to_the_millisecond() -> None:
    captions = list(srt.parse(one("srt")))
    spoken = [part for part in report().transcript if part.text]
    assert [c.index for c in captions] == list(range(1, len(spoken) + 1))
    for caption, part in zip(captions, spoken, strict=True):
        assert round(caption.start.total_seconds() * 1000) == part.start_ms
        assert round(caption.end.total_seconds() * 1000) == part.end_ms
        assert caption.content == f"{part.channel.capitalize()}: {folded(part.text)}"


# ------------------------------------------------------------------ labels


def test_rttm_has_ten_fields_and_the_talk_time_of_the_report() -> None:
    table = pandas.read_csv(io.StringIO(one("rttm")), sep=" ", header=None, keep_default_na=False)
    assert table.shape == (len(report().speech), 10)
    assert set(table[0]) == {"SPEAKER"}
    talked_ms = table.groupby(7)[4].sum() * 1000
    assert round(talked_ms["agent"]) == report().talk.agent_ms
    assert round(talked_ms["customer"]) == report().talk.customer_ms


def test_a_call_id_with_spaces_is_one_field_of_rttm() -> None:
    call = msgspec.structs.replace(report().call, id="call 7 a")
    lines = one("rttm", msgspec.structs.replace(report(), call=call)).splitlines()
    assert all(len(line.split(" ")) == 10 for line in lines)


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "labels.TextGrid"
    path.write_text(one("textgrid"), "utf-8")
    return path


def test_a_textgrid_tiles_the_call_and_holds_every_label(grid: Path) -> None:
    read = textgrid.TextGrid.fromFile(str(grid))
    assert [tier.name for tier in read.tiers] == ["agent", "customer", "overlaps"]
    for tier in read.tiers:
        assert tier[0].minTime == 0
        assert tier[-1].maxTime == read.maxTime
        assert all(a.maxTime == b.minTime for a, b in pairwise(tier))
    for side in (Channel.AGENT, Channel.CUSTOMER):
        labels = {i.mark for i in read.getFirst(str(side)) if i.mark}
        assert labels == {folded(p.text) for p in report().transcript if p.channel is side}
    overlaps = [i.mark for i in read.getFirst("overlaps") if i.mark]
    assert overlaps == [str(e.overlap_class) for e in report().interruptions.events]


def test_praat_opens_the_textgrid_and_counts_the_same_intervals(grid: Path) -> None:
    praat = parselmouth.Data.read(str(grid))
    tiers = parselmouth.praat.call(praat, "Get number of tiers")
    read = textgrid.TextGrid.fromFile(str(grid))
    assert tiers == len(read.tiers)
    for number, tier in enumerate(read.tiers, 1):
        assert parselmouth.praat.call(praat, "Get number of intervals", number) == len(tier)
    label = parselmouth.praat.call(praat, "Get label of interval", 1, 2)
    assert label == read.tiers[0][1].mark


def test_audacity_labels_are_three_columns_in_order() -> None:
    rows = list(csv.reader(io.StringIO(one("audacity")), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(len(row) == 3 and float(row[0]) <= float(row[1]) for row in rows)
    assert [float(row[0]) for row in rows] == sorted(float(row[0]) for row in rows)
    texts = " ".join(row[2] for row in rows)
    assert "agent over customer: successful" in texts
    assert "cue: " in texts


# ------------------------------------------------------------------ tables


def test_tables_hold_what_the_report_holds() -> None:
    files = written("csv")
    assert set(files) == {"interruptions.csv", "cues.csv", "promises.csv", "scorecard.csv"}
    interruptions = pandas.read_csv(io.BytesIO(files["interruptions.csv"]))
    assert len(interruptions) == len(report().interruptions.events)
    assert list(interruptions["overlap_ms"]) == [
        e.overlap_ms for e in report().interruptions.events
    ]
    unyielded = [e.yield_ms is None for e in report().interruptions.events]
    assert list(interruptions["yield_ms"].isna()) == unyielded
    assert len(pandas.read_csv(io.BytesIO(files["cues.csv"]))) == len(report().cues)
    assert len(pandas.read_csv(io.BytesIO(files["promises.csv"]))) == len(report().promises)
    scorecard = pandas.read_csv(io.BytesIO(files["scorecard.csv"]))
    assert list(scorecard["delivered"]) == [part.delivered for part in report().scorecard]
    assert all(content.count(b"\n") == content.count(b"\r\n") for content in files.values())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\0", "\r"])
def test_no_cell_is_taken_for_a_formula(start: str) -> None:
    text = f'{start}HYPERLINK("http://x","y")'
    promise = PromiseMade(
        at_ms=1, id="p", text=text, what=text, due=text, confidence=1.0, start_ms=0
    )
    found = build_report([events()[0], promise])
    content = export("csv", found, [])["promises.csv"].decode()
    (row,) = csv.DictReader(io.StringIO(content))
    assert all(row[column].startswith("'") for column in ("what", "due", "text"))


def test_numbers_below_zero_stay_numbers() -> None:
    assert safe(-3) == -3
    assert safe("plain - text") == "plain - text"


# ------------------------------------------------------------------ containers


def vcon_of(*log: Event) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(export("vcon", report(), log)["call.vcon.json"])
    return decoded


def test_a_vcon_is_valid_and_carries_transcript_and_report() -> None:
    schema = json.loads((DATA / "vcon-core-04.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = vcon_of(*events())
    jsonschema.validate(found, schema)
    assert "vcon" not in found
    assert found["extensions"] == ["CC"]
    assert [party["role"] for party in found["parties"]] == ["customer", "agent"]
    (dialog,) = found["dialog"]
    assert dialog["parties"] == [1, 0]
    assert dialog["duration"] * 1000 == report().call.duration_ms
    bodies = {a["type"]: json.loads(a["body"]) for a in found["analysis"]}
    assert set(bodies) == {"transcript", "report"}
    assert len(bodies["transcript"]) == len(report().transcript)
    assert len(bodies["report"]["scorecard"]) == len(report().scorecard)
    assert "sentiment" not in json.dumps(found).lower()


def test_the_schema_of_the_vcon_can_refuse() -> None:
    schema = json.loads((DATA / "vcon-core-04.schema.json").read_text("utf-8"))
    for change in ({"vcon": "0.0.2"}, {"uuid": "1"}, {"dialog": [{"type": "recording"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**vcon_of(), **change}, schema)


def test_holds_stand_in_the_history_of_the_customer() -> None:
    found = vcon_of(HoldStarted(at_ms=61_500), HoldEnded(at_ms=70_000))
    history = found["dialog"][0]["party_history"]
    assert [(h["party"], h["event"]) for h in history] == [(0, "hold"), (0, "unhold")]
    assert history[0]["time"].startswith("2026-01-01T00:01:01.500")


def test_the_same_call_is_the_same_vcon_and_another_is_another() -> None:
    call = msgspec.structs.replace(report().call, id="other")
    other = json.loads(one("vcon", msgspec.structs.replace(report(), call=call)))
    assert vcon_of()["uuid"] == vcon_of()["uuid"] != other["uuid"]


def test_the_post_call_file_counts_only_what_others_call_interruptions() -> None:
    found = json.loads(one("contact-lens"))
    assert found["Version"] == "1.1.0"
    assert found["Channel"] == "VOICE"
    said = found["ConversationCharacteristics"]
    by = said["Interruptions"]["InterruptionsByInterrupter"]
    assert {party: len(events) for party, events in by.items()} == {"AGENT": 2, "CUSTOMER": 1}
    assert said["Interruptions"]["TotalCount"] == 3
    kept = [e for e in report().interruptions.events if e.overlap_class in INTERRUPTING]
    assert said["Interruptions"]["TotalTimeMillis"] == sum(e.overlap_ms for e in kept)
    talk = said["TalkTime"]["DetailsByParticipant"]
    assert talk["AGENT"]["TotalTimeMillis"] == report().talk.agent_ms
    assert said["TotalConversationDurationMillis"] == report().call.duration_ms
    assert all(turn["Sentiment"] == "NEUTRAL" for turn in found["Transcript"])
    for instance in said["NonTalkTime"]["Instances"]:
        assert instance["EndOffsetMillis"] - instance["BeginOffsetMillis"] > 3_000
    assert OverlapClass.BACKCHANNEL not in INTERRUPTING


def test_what_was_not_measured_is_left_out_and_not_zero() -> None:
    talk = msgspec.structs.replace(
        report().talk, words_per_minute={"agent": None, "customer": 100.0}
    )
    found = json.loads(one("contact-lens", msgspec.structs.replace(report(), talk=talk)))
    speeds = found["ConversationCharacteristics"]["TalkSpeed"]["DetailsByParticipant"]
    assert set(speeds) == {"CUSTOMER"}
