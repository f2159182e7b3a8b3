/** `<hl-status>`: one line of honesty, always in the same place: levels, delays, what is unknown. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Connection } from "../backend";
import { base } from "../design/base";
import { type IconName, icon } from "../design/icons";
import type { Levels } from "../sequence";
import { initial, missingFor, mixed, started, transcriptDelay } from "../store";
import { strings } from "../strings";
import type { CallView, Channel } from "../types/events.gen";

/** Delay of the transcript from which it is said, in milliseconds. */
const DELAY_MS = 2_000;
/** Missing audio from which it is said, in milliseconds. */
const MISSING_MS = 6_000;
/** Time without any message of a live call from which it is said, in milliseconds. */
const SILENT_LINE_MS = 3_000;
/** Degradation of the recogniser from which partial words are left out. */
const OVERLOADED_LEVEL = 2;
/** Band level of speech, dB: a bar each 6 dB from here on. */
const LEVEL_FLOOR_DB = -34;
const BARS = 5;

export interface Note {
  readonly kind: "bad" | "note";
  readonly icon: IconName;
  readonly text: string;
}

/** What must be said of connection, audio and words now; the most serious first. */
export function notes(view: CallView, link: Connection, quietMs: number): readonly Note[] {
  const found: Note[] = [];
  const bad = (name: IconName, text: string) => found.push({ kind: "bad", icon: name, text });
  const note = (name: IconName, text: string) => found.push({ kind: "note", icon: name, text });
  if (link === "offline") bad("offline", strings.offline);
  if (link === "refused") bad("shield", strings.refused);
  const live = (link === "live" || link === "replay") && started(view) && !view.ended;
  if (live && quietMs > SILENT_LINE_MS) {
    bad("volume", strings.noAudioAtAll(Math.round(quietMs / 1000)));
  }
  for (const channel of view.channels) {
    const missing = missingFor(view, channel);
    if (live && missing >= MISSING_MS) {
      bad("volume", strings.noAudio(channel, Math.round(missing / 1000)));
    }
  }
  const skipped = view.lines.findLast((line) => line.final)?.status === "skipped";
  const delay = transcriptDelay(view);
  for (const { text } of view.notices) note("shield", text);
  if (live && !view.asr_available) note("clock", strings.noRecogniser);
  else if (live && (view.asr_level >= OVERLOADED_LEVEL || skipped))
    note("clock", strings.overloaded);
  else if (live && delay > DELAY_MS) note("clock", strings.delay((delay / 1000).toFixed(0)));
  if (live && view.analysis_level > 0) note("clock", strings.shedding);
  if (mixed(view)) note("speech", strings.mixed);
  else if (view.bleed === "C") note("speech", strings.bleed);
  for (const { code, channel } of view.doubts) {
    const said = strings.doubts[code]?.(strings.channel[channel ?? "mixed"].toLowerCase());
    if (said !== undefined) note("speech", said);
  }
  return found;
}

export class Status extends LitElement {
  static override properties = {
    view: { attribute: false },
    link: {},
    levels: { attribute: false },
    watchers: { type: Number },
    quietMs: { type: Number },
  };
  static override styles = [
    base,
    css`
    .line { display: flex; align-items: center; gap: var(--s3); min-height: 32px; font-size: var(--t-label); color: var(--soft); }
    .notes { flex: 1; min-width: 0; display: flex; gap: var(--s2); flex-wrap: wrap; }
    .note { display: inline-flex; align-items: center; gap: 6px; padding: 4px 10px; border-radius: 8px; line-height: 1.3; border: 1px solid var(--line); background: var(--card); color: var(--text); }
    .bad { border-color: var(--mark); color: var(--mark); background: var(--mark-ground); font-weight: 600; }
    .watch { color: var(--accent); display: inline-flex; gap: 5px; align-items: center; }
    .meters { display: flex; gap: var(--s3); }
    .meter { display: flex; align-items: center; gap: 6px; }
    .bars { display: flex; gap: 2px; align-items: flex-end; height: 14px; }
    .bars i { width: 4px; background: var(--line); border-radius: 1px; }
    .bars i:nth-child(1) { height: 30%; } .bars i:nth-child(2) { height: 47%; } .bars i:nth-child(3) { height: 64%; } .bars i:nth-child(4) { height: 82%; } .bars i:nth-child(5) { height: 100%; }
    .agent i.on { background: var(--agent); }
    .customer i.on { background: var(--customer); }
    .mixed i.on { background: var(--soft); }
    @media (max-width: 560px) { .line { flex-wrap: wrap; gap: var(--s1) var(--s2); } .meters { width: 100%; justify-content: space-between; } .notes:empty { display: none; } }
  `,
  ];

  declare view: CallView;
  declare link: Connection;
  declare levels: Levels;
  declare watchers: number;
  declare quietMs: number;

  constructor() {
    super();
    this.view = initial;
    this.link = "connecting";
    this.levels = {};
    this.watchers = 0;
    this.quietMs = 0;
  }

  protected override render(): TemplateResult {
    const live = started(this.view) && !this.view.ended;
    return html`<div class="line">
      ${live ? html`<div class="meters">${this.view.channels.map((channel) => this.meter(channel))}</div>` : nothing}
      <div class="notes" role="status">${notes(this.view, this.link, this.quietMs).map(
        (item) => html`<span class="note ${item.kind}">${icon(item.icon, 15)} ${item.text}</span>`,
      )}</div>
      ${this.watchers > 0 ? html`<span class="watch" data-testid="watchers">${icon("eye", 16)} ${strings.watching(this.watchers)}</span>` : nothing}
    </div>`;
  }

  private meter(channel: Channel): TemplateResult {
    const level = this.levels[channel];
    const on =
      level === undefined ? 0 : Math.max(1, Math.min(BARS, (level - LEVEL_FLOOR_DB) / 6 + 1));
    const speaks = this.view.speech.some((bar) => bar.channel === channel && bar.end_ms === null);
    const lit = speaks ? Math.round(on) : 0;
    return html`<span class="meter ${channel}" role="img" aria-label="${strings.level(channel)}: ${level === undefined ? strings.unknownWords : `${lit} / ${BARS}`}">
      ${strings.channel[channel]}
      <span class="bars">${Array.from({ length: BARS }, (_, at) => html`<i class=${at < lit ? "on" : ""}></i>`)}</span>
    </span>`;
  }
}

customElements.define("hl-status", Status);
