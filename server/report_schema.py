"""Writes the published JSON Schema of the report: `python -m server.report_schema`."""

from __future__ import annotations

from pathlib import Path

import reports.schema
from reports.schema import FILE_NAME, encoded_schema


def main() -> None:
    """Write the schema beside its module, for committing."""
    (Path(reports.schema.__file__).parent / FILE_NAME).write_bytes(encoded_schema())


if __name__ == "__main__":
    main()
