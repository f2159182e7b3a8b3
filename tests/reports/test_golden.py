"""The report of the sample call, reviewed and pinned, and the schema it is published with."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from conversation.events import EventLog
from reports.build import build_report
from reports.model import Report, encode
from reports.schema import encoded_schema, published_schema

pytestmark = pytest.mark.unit
GOLDEN = Path(__file__).parents[1] / "data" / "golden"
MEND = "python -m bench.golden_report, and review the difference"


def recomputed() -> bytes:
    lines = (GOLDEN / "sample.events.jsonl").read_bytes().splitlines()
    return encode(build_report(EventLog.decode(line) for line in lines))


def test_the_pinned_log_gives_the_pinned_report_byte_for_byte() -> None:
    assert recomputed() == (GOLDEN / "sample.report.json").read_bytes(), MEND


def test_the_golden_report_says_what_was_planted() -> None:
    report = msgspec.json.decode((GOLDEN / "sample.report.json").read_bytes(), type=Report)
    by = report.interruptions.by
    assert (by["agent"].successful, by["agent"].talk_over, by["customer"].butting_in) == (2, 0, 1)
    assert report.summary is not None
    assert report.summary.startswith("The agent interrupted twice, the customer not at all.")
    assert report.summary.count(". ") == 2
    moments = {part.behaviour for part in report.practise}
    assert moments == {"let_finish", "acknowledge", "wording"}
    sources = {e.id for e in report.interruptions.events} | {act.id for act in report.acts}
    assert all(part.source in sources for part in report.practise)


def test_the_published_schema_is_that_of_the_structs() -> None:
    assert published_schema() == encoded_schema(), "run python -m server.report_schema"


def test_the_golden_report_is_valid_and_a_broken_one_is_not() -> None:
    schema = json.loads(published_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    report = json.loads((GOLDEN / "sample.report.json").read_bytes())
    jsonschema.validate(report, schema)
    report["talk"]["agent_ms"] = "59 s"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema)
