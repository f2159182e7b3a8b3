/** One call on the wall, as a card or as a row of the table. */
import { html, nothing, svg, type TemplateResult } from "lit";
import { type IconName, icon } from "../design/icons";
import { words } from "../panel/transcript";
import { ago, clock, strings } from "../strings";
import type { Card, Reason } from "../types/events.gen";

const SEVERITY_ICONS: readonly IconName[] = ["check", "eye", "ear", "bell", "hand"];

/** A need in words, with an icon: colour is never the only carrier. */
export function badge(severity: number): TemplateResult {
  return html`<span class="badge s${severity}">${icon(SEVERITY_ICONS[severity] ?? "check", 14)} ${strings.wall.severity[severity] ?? ""}</span>`;
}

/** A reason in words, with its age on the call's own clock. */
export function reasonText({ kind, text, at_ms }: Reason, nowMs: number): TemplateResult {
  const said = strings.reasons[kind] ?? kind.replaceAll("_", " ");
  const quoted = kind !== "alert" && text !== null;
  return html`<span class="what">${kind === "alert" ? text : said}${quoted ? html`: <q dir="auto">${words(text ?? "")}</q>` : nothing}</span>
    <span class="ago">${ago(nowMs - at_ms)}</span>`;
}

/** Whether the customer's words grow warmer or cooler, in a word and as a line. */
export function trend(values: readonly number[]): TemplateResult {
  const { wall } = strings;
  if (values.length < 2) return html``;
  const means = values.map((_, at) => {
    const last = values.slice(Math.max(0, at - 5), at + 1);
    return last.reduce((sum, value) => sum + value, 0) / last.length;
  });
  const change = (means.at(-1) ?? 0) - (means.at(-4) ?? means[0] ?? 0);
  const word = change > 0.1 ? wall.trendUp : change < -0.1 ? wall.trendDown : wall.trendEven;
  const y = (mean: number) => 9 - Math.max(-1, Math.min(1, mean)) * 7;
  const line = means.map((mean, at) => `${(at / Math.max(1, means.length - 1)) * 56},${y(mean)}`);
  return html`<span class="trend"><svg viewBox="0 0 56 18" width="56" height="18" aria-hidden="true">
      <line class="zero" x1="0" x2="56" y1="9" y2="9"></line>
      ${svg`<polyline points=${line.join(" ")}></polyline>`}
    </svg><span class="visually-hidden">${wall.trend}:</span> ${word}</span>`;
}

export interface CardContext {
  /** How long nothing was heard of the call, on the clock of this page. */
  readonly staleMs: number;
}

/** From this age on a card's data are said to be old, in milliseconds. */
const STALE_MS = 4_000;

function freshness(staleMs: number, short = false): TemplateResult {
  if (staleMs < STALE_MS) {
    return html`<span class="fresh" title=${strings.wall.fresh}><i></i><span class="visually-hidden">${strings.wall.fresh}</span></span>`;
  }
  const words = strings.wall.stale(Math.round(staleMs / 1000));
  if (short)
    return html`<span class="fresh old" title=${words}><i></i><span class="visually-hidden">${words}</span></span>`;
  return html`<span class="fresh old"><i></i>${words}</span>`;
}

export function cardView(card: Card, context: CardContext): TemplateResult {
  const { wall } = strings;
  const name = card.agent ?? wall.unnamed;
  return html`<article class="card call s${card.severity}" data-call=${card.call_id} data-severity=${card.severity}>
    <div class="top">
      <a class="name" href="#call/${encodeURIComponent(card.call_id)}" aria-label=${wall.open(name)}>${name}</a>
      <time class="num soft small">${clock(card.position_ms)}</time>
      <span class="grow"></span>
      ${badge(card.severity)}
    </div>
    <div class="why">${card.reasons.slice(0, 2).map((reason) => html`<p>${reasonText(reason, card.position_ms)}</p>`)}
      ${card.reasons.length === 0 ? html`<p class="soft">${state(card)}</p>` : nothing}</div>
    <p class="said" dir="auto">${card.last_words === null ? html`<span class="soft">${wall.noWords}</span>` : html`“${words(card.last_words)}”`}</p>
    <hl-lanes bare .data=${{ speech: card.speech, raised: card.raised, mixed: card.mixed, cuts: [] }} .nowMs=${card.position_ms} .spanMs=${60_000} .label=${wall.strip}></hl-lanes>
    <div class="foot">${trend(card.sentiment)}<span class="grow"></span>
      ${card.need_cues > 0 ? html`<span>${wall.cues(card.need_cues)}</span>` : nothing}
      ${freshness(context.staleMs)}</div>
  </article>`;
}

/** What a quiet call does. */
function state(card: Card): string {
  if (card.paused) return strings.paused;
  if (card.on_hold) return strings.onHold;
  return strings.wall.allQuiet;
}

export function rowView(card: Card, context: CardContext): TemplateResult {
  const { wall } = strings;
  const name = card.agent ?? wall.unnamed;
  const first = card.reasons[0];
  return html`<div class="call line s${card.severity}" role="row" data-call=${card.call_id} data-severity=${card.severity}>
    <span role="cell">${badge(card.severity)}</span>
    <span role="cell"><a class="name" href="#call/${encodeURIComponent(card.call_id)}" aria-label=${wall.open(name)}>${name}</a></span>
    <span role="cell"><time class="num">${clock(card.position_ms)}</time></span>
    <span role="cell" class="one">${first === undefined ? html`<span class="soft">${state(card)}</span>` : reasonText(first, card.position_ms)}</span>
    <span role="cell" class="cut" dir="auto">${card.last_words === null ? wall.noWords : words(card.last_words)}</span>
    <span role="cell">${trend(card.sentiment)}</span>
    <span role="cell">${freshness(context.staleMs, true)}</span>
  </div>`;
}
