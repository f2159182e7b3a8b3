"""`heartline tone`: how a written reply reads to who gets it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from conversation.tone import GAPS, Finding, Said, Tone, check_tone
from server.commands.shared import OUT

_NAMES = {
    "avoid_phrase": "shuts the customer out",
    "blame": "puts the fault on the customer",
    "closes_door": "ends the conversation",
    "over_promise": "promises what nobody can be sure of",
    "vague_time": "no time to plan with",
    "canned_empathy": "fits any complaint",
    "no_acknowledgement": "goes past what they feel",
    "no_next_step": "does not say what happens next",
}


class ToneFileError(Exception):
    """A reply cannot be read."""

    code = "bad_tone_file"


class _Line(msgspec.Struct):
    text: str
    id: str | int | None = None
    context: list[Said] | str | None = None


def tone(
    file: Annotated[str, typer.Argument(help="A text file, JSONL, or - for standard input.")] = "-",
    to: Annotated[
        str | None,
        typer.Option("--to", help="The customer's message: text, or @FILE."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with offsets.")] = False,
    language: Annotated[str, typer.Option(help="Language of the reply.")] = "en",
) -> None:
    """Mark what in an e-mail or chat reply reads as a brush-off, and suggest better words.

    Lines that begin with > are taken as the customer's message. A JSONL file holds one reply a
    line, {"id", "text", "context": [{"speaker", "text"}]}, and gives one line of JSON for each.
    Nothing is stored and nothing leaves this machine. Exit code 0 whatever is found.
    """
    text = _read(file)
    asked = [] if to is None else [Said("customer", _read(to[1:]) if to[:1] == "@" else to)]
    if file.endswith(".jsonl"):
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                print(_checked_line(line, number, language))
        return
    found = check_tone(text, asked, language)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _show(text, found)


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise ToneFileError(f"{file} cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise ToneFileError(f"{file} is not UTF-8 text; save it as plain text.") from error


def _checked_line(line: str, number: int, language: str) -> str:
    try:
        item = msgspec.json.decode(line, type=_Line)
    except msgspec.MsgspecError as error:
        raise ToneFileError(
            f'Line {number} is not {{"id", "text", "context"}} ({error}).'
        ) from error
    context = item.context or []
    if isinstance(context, str):
        context = [Said("customer", context)]
    found = check_tone(item.text, context, language)
    answer: dict[str, Any] = {"id": item.id, "acts": found.acts, "findings": found.findings}
    return msgspec.json.encode(answer).decode()


def _show(text: str, found: Tone) -> None:
    if not found.findings:
        OUT.print("Nothing in it reads as a brush-off.")
        return
    shown = Text(text.rstrip())
    for finding in found.findings:
        if finding.kind not in GAPS:
            shown.stylize("reverse", finding.start, finding.end)
    OUT.print(shown)
    OUT.print()
    for finding in found.findings:
        OUT.print(_sentence(text, finding), highlight=False, markup=False)
        for better in finding.better_wording:
            OUT.print(f"    {better}", highlight=False, markup=False)


def _sentence(text: str, finding: Finding) -> str:
    where = "" if finding.kind in GAPS else f'"{text[finding.start : finding.end]}" '
    return f"{finding.kind}: {where}({_NAMES[finding.kind]}). {finding.why}"
