"""The published JSON Schema of `report.json`, one file per version, made from the structs."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec

from reports.model import SCHEMA_VERSION, Report

FILE_NAME = f"report-{SCHEMA_VERSION}.schema.json"


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the report as the structs define it now."""
    schema = msgspec.json.schema(Report)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Heartline call report, schema {SCHEMA_VERSION}",
        **schema,
    }


def encoded_schema() -> bytes:
    """Return the schema as it is committed."""
    return msgspec.json.format(msgspec.json.encode(report_schema()), indent=1) + b"\n"


def published_schema() -> bytes:
    """Return the committed schema of the present version."""
    return (resources.files("reports.schema") / FILE_NAME).read_bytes()
