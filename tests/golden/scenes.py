"""Five short conversations, written as scripts: what is said when, and what is shown for it.

They are what the dashboards are told, not what the core would conclude: every state of the
screens is reached, whatever the rules of the day.
"""

from __future__ import annotations

from collections.abc import Callable

from conversation.events import (
    AlertAcknowledged,
    AlertCleared,
    AnalysisChanged,
    AudioGap,
    CallEnded,
    CapturePaused,
    CaptureResumed,
    ChannelQuality,
    CueFeedback,
    FinalTranscript,
    HandRaised,
    HoldEnded,
    HoldStarted,
    NoticeCleared,
    NoticeShown,
    OverlapClass,
    PartialTranscript,
    PromiseMade,
    PromiseReviewed,
    RecognitionChanged,
)
from tests.golden.script import A, C, M, Script


def upset() -> Script:
    """A third call about the same bill: an interruption, a raised voice, a repair."""
    s = Script("upset", "Dana Whitfield")
    s.add(ChannelQuality(at_ms=500, channel=C, bleed_grade="A", snr_db=22.0))
    s.say(A, 0.8, 4.2, "Good morning, you're through to Dana, how can I help?",
          ("greeting", "Good morning"), ("open_question", "how can I help"))  # fmt: skip
    s.say(C, 5.0, 13.5, "Hello. My bill went up by forty pounds and this is the third time I am "
          "calling about it, I explained all of this on Monday.",
          ("problem_statement", "my bill went up by forty pounds"),
          ("repeat_contact", "this is the third time I am calling"))  # fmt: skip
    s.say(A, 14.2, 17.5, "Okay, can I take your account number first?")
    s.say(C, 18.4, 23.8, "It's [account]. And honestly, nobody ever listens, I was told that",
          ("frustration", "nobody ever listens"))  # fmt: skip
    s.overlap(A, 22.2, 23.8, OverlapClass.SUCCESSFUL)
    s.say(A, 22.2, 26.4, "Right, so what I can see here is that the discount ended.")
    s.cue("talk_over", 22.9, 27.2, "cleared", "They were mid-sentence")
    s.raised(C, 28.0, 34.6)
    s.say(C, 28.0, 34.6, "No, please let me finish. I was told twice that it would be corrected!",
          ("anger", "please let me finish"), ("frustration", "I was told twice"))  # fmt: skip
    s.cue("customer_upset", 35.4, 41.5, "cleared", "She said: “nobody ever listens”")
    s.say(A, 36.2, 43.0, "I'm sorry. Three calls for one bill is too many, no wonder you've had "
          "enough.", ("apology", "I'm sorry"),
          ("acknowledge_feeling", "no wonder you've had enough"))  # fmt: skip
    s.say(C, 43.8, 47.0, "Thank you. I would still like to speak to a manager.",
          ("gratitude", "Thank you"), ("escalation_request", "speak to a manager"))  # fmt: skip
    alert = s.alert("sup_escalation", 50.0, "Asked for a manager, no offer yet",
                    "Join or call back")  # fmt: skip
    s.say(A, 48.0, 56.0, "Of course. So you were promised the old price twice, and it was never "
          "put in. I'll correct the bill now and call you by four o'clock tomorrow.",
          ("paraphrase", "you were promised the old price twice"),
          ("next_steps", "I'll correct the bill now"),
          ("promise", "call you by four o'clock tomorrow"),
          ("specific_time", "by four o'clock tomorrow"))  # fmt: skip
    s.add(
        PromiseMade(
            at_ms=56_900,
            id="p1",
            text="I'll correct the bill now and call you by four o'clock tomorrow",
            what="Call back about the corrected bill",
            due="tomorrow, four o'clock",
            confidence=0.9,
            start_ms=51_000,
        ),
        AlertAcknowledged(at_ms=58_000, alert_id=alert, taken=True),
        PromiseReviewed(at_ms=62_000, promise_id="p1", verdict="confirmed"),
    )
    s.cue("nudge", 59.0, 63.0, "expired", "", text="I can join whenever you like")
    s.say(C, 60.0, 64.0, "Good. That sorts it, thank you.", ("satisfaction", "That sorts it"),
          ("gratitude", "thank you"))  # fmt: skip
    s.say(A, 65.0, 70.5, "Thank you for your patience. Is there anything else I can do? Have a "
          "good day.", ("appreciation", "Thank you for your patience"),
          ("anything_else", "anything else I can do"),
          ("positive_close", "Have a good day"))  # fmt: skip
    s.add(
        AlertCleared(at_ms=71_000, id=alert, rule="sup_escalation", reason="condition over"),
        CallEnded(at_ms=72_000),
    )
    s.metrics(72, 0.46, 1, 152.0)
    return s


def calm() -> Script:
    """A plain question, answered; nobody needs anything."""
    s = Script("calm", "Ife Adeyemi")
    s.say(A, 0.5, 3.5, "Thanks for calling, this is Ife, what can I do for you?",
          ("greeting", "Thanks for calling"),
          ("open_question", "what can I do for you"))  # fmt: skip
    s.say(C, 4.1, 8.9, "Hi, I would like to know when my parcel will arrive.",
          ("question", "when my parcel will arrive"))  # fmt: skip
    s.say(A, 9.6, 14.4, "Let me have a look. It is out for delivery, by noon today.",
          ("specific_time", "by noon today"))  # fmt: skip
    s.overlap(C, 12.0, 12.5, OverlapClass.BACKCHANNEL)
    s.say(C, 15.0, 17.2, "Lovely, thanks.", ("gratitude", "thanks"))
    s.metrics(20, 0.52, 0, 128.0)
    return s


def trouble() -> Script:
    """What can go wrong with hearing: holds, gaps, overload, a pause for card data."""
    s = Script("trouble", "Mateo Ruiz")
    s.say(A, 1.0, 4.0, "Hello, Mateo speaking.", ("greeting", "Hello"))
    s.say(C, 4.6, 9.6, "I need to pay, my number is [phone] and the card is [card].",
          ("problem_statement", "I need to pay"))  # fmt: skip
    s.add(
        CapturePaused(at_ms=10_500, mode="auto"),
        NoticeShown(
            at_ms=10_500,
            id="notice-1",
            rule="card_data",
            text="Recording masked: card data",
            surface="indicator",
        ),
        RecognitionChanged(at_ms=10_600, level=1),
        AudioGap(at_ms=12_000, channel=C, begin_ms=10_500, end_ms=12_000, reason="pause"),
        AnalysisChanged(at_ms=12_100, level=4),
        AudioGap(at_ms=16_000, channel=C, begin_ms=12_000, end_ms=16_000, reason="pause"),
        CaptureResumed(at_ms=16_000),
        NoticeCleared(at_ms=16_000, id="notice-1", rule="card_data"),
        RecognitionChanged(at_ms=16_100, level=0),
        AnalysisChanged(at_ms=16_200, level=0),
    )
    s.say(A, 17.0, 20.0, "Thanks. I'll put you on hold for a moment.", ("hold_notice", "on hold"))
    hold = s.alert("sup_hold", 121.0, "On hold for 100 s, the third hold", "Find help")
    s.add(
        HoldStarted(at_ms=20_800),
        HandRaised(at_ms=118_000, raised=True),
        AlertAcknowledged(at_ms=123_000, alert_id=hold),
        AlertCleared(at_ms=123_000, id=hold, rule="sup_hold", reason="acknowledged"),
        HoldEnded(at_ms=125_000),
        HandRaised(at_ms=126_000, raised=False),
    )
    for second in range(127, 135):
        s.add(
            AudioGap(
                at_ms=(second + 1) * 1_000,
                channel=C,
                begin_ms=second * 1_000,
                end_ms=(second + 1) * 1_000,
                reason="loss",
            )
        )
    quality = s.alert("sup_quality", 135.0, "No customer audio for 8 s", "Check the line")
    s.cue("dead_air", 136.0, 144.0, "expired", "Nobody has spoken for 8 s")
    s.say(C, 145.0, 150.0, "Hello? I lost my husband in May and I cannot do this twice.",
          ("vulnerability", "I lost my husband in May"))  # fmt: skip
    s.alert("sup_vulnerable", 150.9, "Bereavement", "Safeguarding procedure")
    cue = s.cue("vulnerable", 150.9, 160.0, "dismissed", "She said: “I lost my husband”")
    s.add(
        AlertCleared(at_ms=146_000, id=quality, rule="sup_quality", reason="audio is back"),
        PartialTranscript(
            at_ms=152_000,
            channel=A,
            utterance_id="late",
            rev=1,
            start_ms=151_000,
            audio_end_ms=152_000,
            stable="I am",
            tail="so sorry",
            stable_words=2,
            asr_level=2,
        ),
        FinalTranscript(
            at_ms=156_000,
            channel=A,
            utterance_id="late",
            rev=2,
            start_ms=151_000,
            end_ms=154_000,
            text=None,
            status="skipped",
        ),
        CueFeedback(at_ms=159_900, cue_id=cue, verdict="dismiss"),
    )
    s.metrics(165, 0.7, 0, 204.0)
    return s


def one_channel() -> Script:
    """Both parties on one channel: nobody is said to interrupt."""
    s = Script("one_channel", None, (M,))
    s.say(M, 1.0, 6.0, "Good afternoon, thank you for calling.")
    s.say(M, 7.0, 12.0, "Hello, it's about my order.")
    s.metrics(15, 0.5, 0, 120.0)
    return s


def hostile() -> Script:
    """Text that would like to be more than text."""
    s = Script("hostile", "<b>Eve</b>")
    s.say(C, 1.0, 4.0, "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>",
          ("frustration", '"><svg onload=window.pwned=1>'))  # fmt: skip
    s.say(A, 5.0, 8.0, "abc \u202etxet desrever\u202c \u2066isolate\u2069 \u200f done",
          ("greeting", "javascript:window.pwned=1"))  # fmt: skip
    s.say(C, 9.0, 12.0, "x" * 10_000, ("anger", "y" * 500))
    s.cue("customer_upset", 12.5, 20.0, "expired", "She said: <i>" + "z" * 300 + "</i>")
    s.alert("sup_abuse", 13.0, "<a href=javascript:alert(1)>click</a>", "<style>*{}</style>")
    s.add(
        PromiseMade(
            at_ms=14_000,
            id="p<1>",
            text="<b>",
            what="<img src=x onerror=window.pwned=1>" + "w" * 400,
            due="<u>now</u>",
            confidence=0.9,
            start_ms=13_000,
        ),
    )
    s.cue("nudge", 21.0, 40.0, "expired", "", text="<script>window.pwned=1</script>")
    s.metrics(25, 0.5, 0, 120.0)
    return s


SCENES: dict[str, Callable[[], Script]] = {
    "upset": upset,
    "calm": calm,
    "trouble": trouble,
    "one_channel": one_channel,
    "hostile": hostile,
}
