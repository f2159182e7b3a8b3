"""How many processes and threads recognition takes is measured once and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr import calibration
from asr.calibration import Layout, choose_layout, measure
from asr.settings import AsrSettings

pytestmark = pytest.mark.model
MEASURED = Layout(workers=1, threads=2, compute_type="int8", partial_ms=90.0)


@pytest.fixture
def measurements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[AsrSettings]:
    """Settings of each measurement that was asked for, on an idle machine."""
    asked: list[AsrSettings] = []

    def measure_elsewhere(settings: AsrSettings) -> Layout:
        asked.append(settings)
        return MEASURED

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(calibration, "_is_busy", lambda: False)
    monkeypatch.setattr(calibration, "_measure_elsewhere", measure_elsewhere)
    return asked


def test_the_second_start_remembers_what_the_first_measured(
    measurements: list[AsrSettings],
) -> None:
    assert choose_layout(AsrSettings()) == MEASURED
    assert choose_layout(AsrSettings()) == MEASURED
    assert len(measurements) == 1


def test_another_compute_type_is_measured_anew(measurements: list[AsrSettings]) -> None:
    choose_layout(AsrSettings())
    choose_layout(AsrSettings(compute_type="auto"))
    assert len(measurements) == 2


def test_settings_that_say_it_all_need_no_measurement(measurements: list[AsrSettings]) -> None:
    layout = choose_layout(AsrSettings(workers=3, threads=1))
    assert (layout.workers, layout.threads, layout.compute_type) == (3, 1, "int8")
    assert measurements == []
    assert choose_layout(AsrSettings(workers=3)).workers == 3


def test_a_busy_machine_is_not_measured(
    measurements: list[AsrSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_is_busy", lambda: True)
    layout = choose_layout(AsrSettings())
    assert layout.threads == 1
    assert layout.workers >= 1
    assert measurements == []


def test_a_measurement_times_real_decodes() -> None:
    layout = measure(AsrSettings())
    assert layout.compute_type == "int8"
    assert layout.partial_ms > 10
    assert layout.workers == 1 or layout.threads == 1


def test_live_recognition_leaves_a_core_to_what_hears_and_cues(
    measurements: list[AsrSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    four = Layout(workers=4, threads=1, compute_type="int8")
    monkeypatch.setattr(calibration, "_measure_elsewhere", lambda _: four)
    assert choose_layout(AsrSettings()).workers == 3
    assert choose_layout(AsrSettings(spare_cores=0)).workers == 4
    assert choose_layout(AsrSettings(spare_cores=9)).workers == 1
    assert choose_layout(AsrSettings(workers=2)).workers == 2
    assert measurements == []
