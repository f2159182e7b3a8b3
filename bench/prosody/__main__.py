"""Raised voices: `python -m bench.prosody`, or `make bench-prosody`; QUICK=1 for a smaller run.

Data: sentences of the speech bank (generated voices) whose passages are raised by two transforms in
three doses; figures are of the test voices, on which nothing was set. Transformed speech proves the
mechanism, not the field. Needs the extra `sample`.
Everything generated is kept in HEARTLINE_SPEECH_BANK (default `bench/out/speech`), so that the
first run takes long and later ones do not. With HEARTLINE_DATA, recorded talkers are raised as
well (lines of their own: these talkers are development data), and the calls they are from, in which
nobody raises a voice, count false events.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from bench.prosody.calls import calm_call, raised_call
from bench.prosody.confusion import confusion_rows
from bench.prosody.cost import CallCost, cost_rows
from bench.prosody.detection import Contest, Heard, babble_for, lines
from bench.prosody.line import CONDITIONS, on_the_line
from bench.prosody.listen import Listener
from bench.prosody.recorded import recorded_rows
from bench.prosody.targets import print_targets
from bench.prosody.trackers import tracker_rows
from bench.results import Row, is_quick, write_results
from bench.speech_bank import TEST_VOICES, SpeechBank
from conversation.events import Channel
from prosody import stage
from prosody.settings import ProsodySettings

SEED = 11
_OWN = Channel.CUSTOMER
_DATA = (
    "Data: generated voices of the test split, on which nothing was set, and, where HEARTLINE_DATA "
    "names them, three recorded talkers (conditions recorded_*), which are development data: the "
    "spread of pitch and the spectrum of a window were chosen with them. Effort is imposed by two "
    "transforms, laughter and cheer are made up: that proves the mechanism, not the field."
)
_QUICK_VOICES = ("kumo", "nora")
_FEMALE = ("nezumi", "tebukuro", "nora")


def main() -> None:
    """Measure, print one table and write `bench/out/prosody.json`."""
    quick = is_quick()
    voices = _QUICK_VOICES if quick else TEST_VOICES
    console = Console()
    bank, listener = SpeechBank(), Listener()
    stage.warm_up(ProsodySettings())
    rows: list[Row] = []
    with console.status("Making and hearing calls ...") as status:
        contest = Contest(listener)
        by_sex = {True: Contest(listener), False: Contest(listener)}
        for voice in voices:
            status.update(f"Detection: {voice} ...")
            for condition, heard in lines(bank, listener, (voice,), SEED, calm=True):
                contest.hear(condition, heard)
                if condition == "mulaw_agc":
                    by_sex[voice in _FEMALE].hear(condition, heard, baselines=False)
        rows += contest.rows()
        rows += _sex_gap(by_sex)
        status.update("Slight effort ...")
        rows += _slight(bank, listener, voices)
        status.update("Pitch trackers ...")
        rows += tracker_rows(bank, voices, sentences=2 if quick else 6)
        status.update("Confusion set ...")
        rows += confusion_rows(bank, listener, voices, SEED)
        status.update("Recorded talkers ...")
        rows += recorded_rows(bank, listener, (SEED,) if quick else (SEED, SEED + 1))
        status.update("Cost ...")
        rows += _cost(bank, listener, voices, quick=quick)
    path = write_results("prosody", rows, seed=SEED)
    print_targets(console, rows)
    console.print(f"Written to {path}. {_DATA}")


def _slight(bank: SpeechBank, listener: Listener, voices: tuple[str, ...]) -> list[Row]:
    """How often 2 semitones and 3 dB, which nobody would call raised, fire."""
    contest = Contest(listener)
    for voice in voices:
        call = raised_call(bank, voice, SEED, slight=True)
        line = on_the_line(call, "mulaw_agc", None, SEED)
        heard = Heard(call, line, listener.speech(_OWN, line))
        contest.hear("mulaw_agc", heard, baselines=False)
    return contest.found("mulaw_agc").dose_rows("heartline", "mulaw_agc")


def _sex_gap(by_sex: dict[bool, Contest]) -> Iterator[Row]:
    """Area under the curve of higher and lower voices, and the gap."""
    values = []
    for higher, contest in by_sex.items():
        for row in contest.rows() if contest.heard else ():
            if row.metric == "auc" and row.value is not None:
                values.append(row.value)
                name = "higher_voices" if higher else "lower_voices"
                yield Row("heartline", f"mulaw_agc/{name}", "auc", row.value, "", row.n)
    if len(values) == 2:
        gap = abs(values[0] - values[1])
        yield Row("heartline", "mulaw_agc", "auc_gap_of_sexes", gap, "", len(values))


def _cost(
    bank: SpeechBank, listener: Listener, voices: tuple[str, ...], *, quick: bool
) -> Iterator[Row]:
    babble = babble_for(bank, voices[0], voices)
    customer = on_the_line(raised_call(bank, voices[0], SEED), CONDITIONS[2], babble, SEED)
    agent = on_the_line(calm_call(bank, voices[1], SEED), CONDITIONS[2], babble, SEED)
    call = CallCost(listener, customer, agent)
    yield from cost_rows(call, repeats=1 if quick else 3, seconds=30.0 if quick else 90.0)


if __name__ == "__main__":
    main()
