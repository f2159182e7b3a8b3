"""Downloads are for who is signed in; the Contact Lens API is for who holds its key pair."""

from __future__ import annotations

import http.client
import io
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
import webvtt
from botocore.config import Config
from botocore.exceptions import ClientError

from asr.settings import AsrSettings
from conversation.events import EventLog
from reports.build import build_report
from reports.exports import export
from reports.exports.contact_lens import segments
from server.contact_lens import ContactLensSettings
from server.hearing import Hearing, HearingSettings
from server.runner import Running, running_server
from server.settings import Settings

pytestmark = pytest.mark.server
GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "sample.events.jsonl"
KEYS = ContactLensSettings(access_key_id="AKTEST", secret_access_key="secret-of-the-test")
SEGMENTS = "/realtime-contact-analysis/analysis-segments"
PLACES = {
    "/transcript.vtt": "vtt",
    "/transcript.srt": "srt",
    "/labels.rttm": "rttm",
    "/labels.TextGrid": "textgrid",
    "/vcon": "vcon",
    "/contact-lens": "contact-lens",
}


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def server(hearing: Hearing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = tmp_path_factory.mktemp("data") / "heartline.db"
    with running_server(hearing, database, settings=Settings(contact_lens=KEYS)) as running:
        journal = running.calls.journal
        journal.open_call("sample", "2026-01-01T00:00:00+00:00", None)
        journal.append("sample", 1, events())
        yield running


def events() -> list[Any]:
    return [EventLog.decode(line) for line in GOLDEN.read_bytes().splitlines()]


def ask(server: Running, method: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, headers=headers, body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()


def get(server: Running, path: str, *, signed_in: bool = True) -> tuple[int, str, bytes]:
    headers = {"Authorization": f"Bearer {server.user.key}"} if signed_in else {}
    return ask(server, "GET", f"/v1/calls/sample{path}", headers)


@pytest.mark.parametrize("path", [*PLACES, "/report.csv"])
def test_nothing_is_given_to_who_is_not_signed_in(server: Running, path: str) -> None:
    assert get(server, path, signed_in=False)[0] == 401


@pytest.mark.parametrize(("path", "name"), PLACES.items())
def test_a_download_is_the_bytes_of_the_export(server: Running, path: str, name: str) -> None:
    status, _, body = get(server, path)
    assert status == 200
    assert [body] == list(export(name, build_report(events()), events()).values())


def test_captions_and_containers_say_what_they_are(server: Running) -> None:
    _, media_type, body = get(server, "/transcript.vtt")
    assert media_type.startswith("text/vtt")
    assert len(webvtt.from_buffer(io.StringIO(body.decode()))) > 40
    assert get(server, "/vcon")[1].startswith("application/vcon")


def test_the_tables_come_in_one_archive(server: Running) -> None:
    archive = zipfile.ZipFile(io.BytesIO(get(server, "/report.csv")[2]))
    assert archive.namelist() == ["interruptions.csv", "cues.csv", "promises.csv", "scorecard.csv"]


@pytest.mark.parametrize("path", ["/transcript.exe", "/labels.doc"])
def test_what_there_is_not_is_not_found(server: Running, path: str) -> None:
    assert get(server, path)[0] == 404


# ------------------------------------------------------------------ Contact Lens


def client(server: Running, secret: str = KEYS.secret_access_key) -> Any:
    return boto3.client(
        "connect-contact-lens",
        region_name="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id=KEYS.access_key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def page(server: Running, **query: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client(server).list_realtime_contact_analysis_segments(
        InstanceId="i-1", ContactId="sample", **query
    )
    return answer


def test_the_client_of_aws_reads_the_same_segments_page_by_page(server: Running) -> None:
    whole = page(server, MaxResults=100)
    assert "NextToken" not in whole
    assert len(whole["Segments"]) == len(segments(build_report(events())))
    found, token = [], None
    while True:
        part = page(server, MaxResults=1, **({"NextToken": token} if token else {}))
        found += part["Segments"]
        token = part.get("NextToken")
        if token is None:
            break
    assert found == whole["Segments"]
    roles = {s["Transcript"]["ParticipantRole"] for s in found if "Transcript" in s}
    assert roles == {"AGENT", "CUSTOMER"}
    cues = [c for s in found if "Categories" in s for c in s["Categories"]["MatchedCategories"]]
    assert "talk_over" in cues


def test_another_key_is_refused(server: Running) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        client(server, secret="another").list_realtime_contact_analysis_segments(
            InstanceId="i-1", ContactId="sample"
        )


def test_an_unknown_call_is_not_found(server: Running) -> None:
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client(server).list_realtime_contact_analysis_segments(InstanceId="i-1", ContactId="nobody")


@pytest.mark.parametrize("signature", [None, "Bearer x", "AWS4-HMAC-SHA256 Credential=A/B"])
def test_an_unsigned_request_is_refused(server: Running, signature: str | None) -> None:
    headers = {"Authorization": signature} if signature else {}
    assert ask(server, "POST", SEGMENTS, headers)[0] == 403


def test_without_a_key_pair_there_is_no_such_endpoint(hearing: Hearing, tmp_path: Path) -> None:
    with running_server(hearing, tmp_path / "heartline.db") as running:
        assert ask(running, "POST", SEGMENTS, {})[0] in (404, 405)
