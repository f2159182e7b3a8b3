/** The pure store of the wall: cards in, an order that changes only when a need changes. */
import type { Card } from "../types/events.gen";

export interface WallMessage {
  readonly type: "hello" | "snapshot" | "event";
  readonly seq: number;
  readonly cards: readonly Card[];
  readonly gone: readonly string[];
}

export interface Entry {
  readonly card: Card;
  /** When the card last changed, on the clock of this page. */
  readonly heardAt: number;
}

export interface WallState {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Ids by need: severity, then the longest need first, then the longest call. */
  readonly order: readonly string[];
}

export const empty: WallState = { entries: new Map(), order: [] };

/** Return the wall after one message that arrived at `heardAt` of the page's own clock. */
export function reduceWall(state: WallState, message: WallMessage, heardAt: number): WallState {
  const entries = new Map(message.type === "snapshot" ? [] : state.entries);
  let reorder = message.type === "snapshot";
  for (const id of message.gone) reorder = entries.delete(id) || reorder;
  for (const card of message.cards) {
    reorder = reorder || entries.get(card.call_id)?.card.severity !== card.severity;
    entries.set(card.call_id, { card, heardAt });
  }
  return { entries, order: reorder ? byNeed(entries) : state.order };
}

function byNeed(entries: ReadonlyMap<string, Entry>): readonly string[] {
  /** How long the need has lasted; both times are of the call itself. */
  const waited = ({ card }: Entry) => (card.severity === 0 ? 0 : card.position_ms - card.since_ms);
  return [...entries.values()]
    .sort(
      (a, b) =>
        b.card.severity - a.card.severity ||
        waited(b) - waited(a) ||
        b.card.position_ms - a.card.position_ms ||
        (a.card.call_id < b.card.call_id ? -1 : 1),
    )
    .map((entry) => entry.card.call_id);
}

export interface Filters {
  readonly text: string;
  readonly team: string;
  readonly agent: string;
  readonly reason: string;
  readonly overMinutes: number;
  readonly needOnly: boolean;
}

export const noFilters: Filters = {
  text: "",
  team: "",
  agent: "",
  reason: "",
  overMinutes: 0,
  needOnly: false,
};

/** The ids that pass the filters, in the wall's order. */
export function visible(state: WallState, filters: Filters): readonly string[] {
  const text = filters.text.trim().toLocaleLowerCase();
  return state.order.filter((id) => {
    const card = state.entries.get(id)?.card;
    if (card === undefined) return false;
    if (filters.needOnly && card.severity === 0) return false;
    if (filters.team !== "" && card.team !== filters.team) return false;
    if (filters.agent !== "" && card.agent !== filters.agent) return false;
    if (filters.reason !== "" && !card.reasons.some(({ kind }) => kind === filters.reason))
      return false;
    if (card.position_ms < filters.overMinutes * 60_000) return false;
    if (text === "") return true;
    const words = [card.agent, card.last_words, card.call_id, ...card.reasons.map((r) => r.text)];
    return words.some((word) => word?.toLocaleLowerCase().includes(text));
  });
}

export interface OpenAlert {
  readonly callId: string;
  readonly agent: string | null;
  readonly alert: Card["alerts"][number];
  readonly agoMs: number;
}

/** An answered alert stays in the list this long, in milliseconds. */
const ANSWERED_MS = 300_000;

/** Alerts that nobody muted, unanswered ones first, then the newest. */
export function openAlerts(state: WallState, muted: readonly string[]): readonly OpenAlert[] {
  const found: OpenAlert[] = [];
  for (const { card } of state.entries.values()) {
    for (const alert of card.alerts) {
      if (muted.includes(alert.rule)) continue;
      const agoMs = card.position_ms - alert.at_ms;
      if (alert.answer !== null && agoMs > ANSWERED_MS) continue;
      found.push({ callId: card.call_id, agent: card.agent, alert, agoMs });
    }
  }
  const answered = ({ alert }: OpenAlert) => (alert.answer === null ? 0 : 1);
  return found.sort((a, b) => answered(a) - answered(b) || a.agoMs - b.agoMs);
}

/** The part of a list that is on screen: which items, and how high the whole is. */
export interface Window {
  readonly first: number;
  readonly last: number;
  readonly height: number;
}

/** Compute which of `count` items in `columns` columns are near the viewport. */
export function virtualWindow(
  count: number,
  columns: number,
  rowHeight: number,
  scrollTop: number,
  viewHeight: number,
): Window {
  const rows = Math.ceil(count / columns);
  const from = Math.max(0, Math.floor(scrollTop / rowHeight) - 1);
  const to = Math.min(rows, Math.ceil((scrollTop + viewHeight) / rowHeight) + 1);
  return { first: from * columns, last: Math.min(count, to * columns), height: rows * rowHeight };
}
