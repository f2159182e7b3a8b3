/** What a call needs, in facts, ranked: mirrors `card_of` in `server/wall.py`, byte for byte. */
import { mixed } from "../store";
import type { ActDetected, CallView, Card, Reason } from "../types/events.gen";

const STRIP_MS = 60_000;
const STRIP_BARS = 200;
const RAISED_RECENT_MS = 60_000;
const SAID_RECENT_MS = 180_000;
const HOLD_LONG_MS = 90_000;
const SENTIMENT_TURNS = 12;
const HANDLED_SEVERITY = 1;

export const ALERT_SEVERITY: Readonly<Record<string, number>> = {
  sup_vulnerable: 4,
  sup_abuse: 4,
  sup_raise_hand: 4,
  sup_escalation: 3,
  sup_churn: 3,
  sup_upset_lasting: 3,
};

const SAID_SEVERITY: Readonly<Record<string, number>> = {
  vulnerability: 3,
  escalation_request: 2,
  churn_threat: 2,
  anger: 2,
  frustration: 1,
  repeat_contact: 1,
};

const ALERT_COVERS: Readonly<Record<string, string>> = {
  sup_escalation: "escalation_request",
  sup_churn: "churn_threat",
  sup_vulnerable: "vulnerability",
  sup_abuse: "anger",
  sup_upset_lasting: "frustration",
  sup_raise_hand: "hand",
  sup_hold: "hold",
};

const SENTIMENT: Readonly<Record<string, number>> = {
  gratitude: 1,
  satisfaction: 1,
  frustration: -1,
  confusion: -1,
  anger: -2,
};

/** Make the card of a call as of its position; its team is known to the server alone. */
export function cardOf(view: CallView): Card {
  const reasons = reasonsOf(view);
  const severity = Math.max(0, ...reasons.map((reason) => reason.severity));
  const since = reasons.filter((reason) => reason.severity === severity).map(({ at_ms }) => at_ms);
  const last = view.lines.findLast((line) => line.channel === "customer" && line.stable !== "");
  const fromMs = view.position_ms - STRIP_MS;
  return {
    call_id: view.call_id,
    agent: view.agent,
    team: null,
    position_ms: view.position_ms,
    paused: view.paused,
    on_hold: view.hold_since_ms !== null,
    ended: view.ended,
    mixed: mixed(view),
    severity,
    since_ms: since.length === 0 ? 0 : Math.min(...since),
    reasons,
    alerts: view.alerts,
    need_cues: view.need_cues,
    last_words: last?.stable ?? null,
    last_words_ms: last?.start_ms ?? 0,
    sentiment: sentiment(view),
    speech: view.speech
      .slice(-STRIP_BARS)
      .filter((bar) => bar.end_ms === null || bar.end_ms > fromMs),
    raised: view.raised.filter((bar) => bar.end_ms === null || bar.end_ms > fromMs),
  };
}

function reasonsOf(view: CallView): readonly Reason[] {
  const found: Reason[] = view.alerts.map((alert) => ({
    kind: "alert",
    severity: alert.answer === null ? (ALERT_SEVERITY[alert.rule] ?? 2) : HANDLED_SEVERITY,
    at_ms: alert.at_ms,
    text: alert.reason,
  }));
  if (view.hand_since_ms !== null) {
    found.push({ kind: "hand", severity: 4, at_ms: view.hand_since_ms, text: null });
  }
  const recentMs = view.position_ms - RAISED_RECENT_MS;
  const raised = view.raised.findLast(
    (bar) => bar.channel === "customer" && (bar.end_ms === null || bar.end_ms > recentMs),
  );
  if (raised) found.push({ kind: "raised_voice", severity: 1, at_ms: raised.start_ms, text: null });
  const said = new Map<string, ActDetected>();
  for (const act of view.acts) {
    const recent = act.at_ms > view.position_ms - SAID_RECENT_MS;
    if (act.channel === "customer" && act.kind in SAID_SEVERITY && recent) said.set(act.kind, act);
  }
  for (const { kind, start_ms, text } of said.values()) {
    found.push({ kind, severity: SAID_SEVERITY[kind] ?? 0, at_ms: start_ms, text });
  }
  const held = view.hold_since_ms;
  if (held !== null && view.position_ms - held >= HOLD_LONG_MS) {
    found.push({ kind: "hold", severity: 1, at_ms: held, text: null });
  }
  const covered = new Set(view.alerts.map((alert) => ALERT_COVERS[alert.rule]));
  return found
    .filter((reason) => !covered.has(reason.kind))
    .sort((a, b) => b.severity - a.severity || b.at_ms - a.at_ms || (a.kind < b.kind ? -1 : 1));
}

function sentiment(view: CallView): readonly number[] {
  const values = new Map<string, number>();
  for (const act of view.acts) {
    const value = SENTIMENT[act.kind];
    if (act.channel !== "customer" || value === undefined) continue;
    values.set(act.utterance_id, (values.get(act.utterance_id) ?? 0) + value);
  }
  return view.lines
    .filter((line) => line.channel === "customer" && line.final && line.stable !== "")
    .slice(-SENTIMENT_TURNS)
    .map((line) => values.get(line.id) ?? 0);
}
