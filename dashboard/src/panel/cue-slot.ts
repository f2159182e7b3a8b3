/** `<hl-cue-slot>`: the one place where a cue appears. Nothing beside it moves. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Connection, Verdict } from "../backend";
import { base } from "../design/base";
import { cueIcon, type IconName, icon } from "../design/icons";
import { type Prefs, prefs } from "../prefs";
import { initial, speakers, started } from "../store";
import { strings } from "../strings";
import type { CallView } from "../types/events.gen";

/** How long a resolved cue shows its tick, in milliseconds. */
const RESOLVED_MS = 900;

const VERDICTS: readonly (readonly [Verdict, IconName, string])[] = [
  ["up", "thumb", "U"],
  ["down", "thumb", "D"],
  ["justified", "shield", "J"],
  ["dismiss", "cross", "X"],
  ["snooze_5min", "snooze", "S"],
  ["snooze_call", "snooze", "Shift S"],
];

export class CueSlot extends LitElement {
  static override properties = {
    view: { attribute: false },
    link: {},
    reportUrl: { attribute: false },
    tick: { state: true },
    canReplay: { type: Boolean },
    prefs: { attribute: false },
  };
  static override styles = [
    base,
    css`
    section { height: 188px; padding: var(--s4) var(--s4) var(--s2) var(--s5); display: flex; flex-direction: column; position: relative; overflow: hidden; }
    .words { flex: 1; min-height: 0; display: flex; align-items: center; }
    .cue { display: flex; align-items: center; gap: var(--s4); animation: appear 150ms ease-out; }
    @keyframes appear { from { opacity: 0; } }
    .tile { width: 64px; height: 64px; border-radius: 16px; display: grid; place-items: center; flex: none; background: var(--sunken); color: var(--accent); }
    .say { font-size: var(--t-cue); line-height: 1.15; font-weight: 620; letter-spacing: -0.02em; overflow-wrap: anywhere; }
    .cue > div { min-width: 0; }
    .why { overflow-wrap: anywhere; color: var(--soft); margin-top: 4px; font-size: var(--t-body); overflow: hidden; text-overflow: ellipsis; display: -webkit-box; -webkit-line-clamp: 1; -webkit-box-orient: vertical; }
    .person .tile { background: var(--accent); color: var(--on-accent); }
    .idle { color: var(--soft); display: grid; gap: 2px; }
    .idle b { font-size: var(--t-lead); font-weight: 500; color: var(--text); }
    .done b { color: var(--ok); font-weight: 600; }
    .stopped { position: absolute; inset: 0 0 46px; display: flex; align-items: center; gap: var(--s4); padding: 0 var(--s5); background: var(--mark-ground); color: var(--mark); border-bottom: 2px solid var(--mark); }
    .stopped b { display: block; font-size: var(--t-value); font-weight: 650; letter-spacing: -0.01em; }
    .controls { display: flex; gap: 4px; align-items: center; min-height: 32px; margin-left: -9px; }
    .controls button { min-width: 32px; min-height: 32px; padding: 0 7px; }
    .down .icon { transform: scaleY(-1); }
    .brief { display: none; }
    .away { visibility: hidden; }
    @media (max-width: 560px) {
      section { height: 196px; padding: var(--s3) var(--s3) var(--s2); }
      .cue { gap: var(--s3); }
      .tile { width: 44px; height: 44px; border-radius: 12px; }
      .say { font-size: 1.75rem; }
      .controls { margin-left: -4px; }
      .face { display: none; }
      .brief { display: inline; }
      .controls button { padding: 0 6px; gap: 3px; }
      .stopped { padding: 0 var(--s3); }
    }
    :host([quiet]) .cue { animation: none; }
  `,
  ];

  declare view: CallView;
  declare link: Connection;
  declare reportUrl: string | null;
  declare tick: boolean;
  declare canReplay: boolean;
  /** Muted and quiet, as this browser remembers them. */
  declare prefs: Prefs;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.view = initial;
    this.link = "connecting";
    this.reportUrl = null;
    this.tick = false;
    this.canReplay = false;
    this.prefs = prefs.value;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get("view") as CallView | undefined;
    const { resolved } = this.view;
    if (before === undefined || resolved === before.resolved) return;
    clearTimeout(this.timer);
    this.tick = resolved !== null && before.cue?.id === resolved.id;
    if (this.tick) this.timer = setTimeout(() => this.untick(), RESOLVED_MS);
  }

  private untick(): void {
    this.tick = false;
  }

  /** What the agent says of the cue in the slot. */
  judge(verdict: Verdict): void {
    if (this.view.cue !== null) this.dispatchEvent(new CustomEvent("verdict", { detail: verdict }));
  }

  protected override render(): TemplateResult {
    const { quiet } = this.prefs;
    this.toggleAttribute("quiet", quiet);
    const shown = this.shown;
    return html`<section class="card" aria-label=${strings.currentCue}>
      <div class="words" aria-live=${quiet ? "off" : "polite"} aria-atomic="true">
        ${shown ?? this.idleView()}
      </div>
      ${
        this.view.paused
          ? html`<div class="stopped" role="alert">${icon("record", 40)}<p><b>${strings.paused}</b>${strings.pausedMore}</p></div>`
          : nothing
      }
      ${this.controls(shown !== null)}
    </section>`;
  }

  private get shown(): TemplateResult | null {
    const { cue } = this.view;
    if (cue === null) return null;
    if (cue.rule === "nudge") {
      return html`<div class="cue person" data-testid="nudge"><span class="tile">${icon("person", 34)}</span>
        <div><p class="say">${cue.text}</p><p class="why">${strings.fromPerson}</p></div></div>`;
    }
    if (this.prefs.muted && cue.priority > 0) return null;
    return html`<div class="cue" data-testid="cue" data-rule=${cue.rule}>
      <span class="tile">${icon(cueIcon(cue.icon, cue.rule), 36)}</span>
      <div><p class="say">${cue.text}</p><p class="why">${cue.evidence_line}</p></div></div>`;
  }

  private idleView(): TemplateResult {
    const { view } = this;
    if (this.tick && view.resolved !== null) {
      const words = view.resolved.rule === "talk_over" ? strings.resolved : strings.done;
      return html`<p class="idle done" data-testid="resolved"><b>✓ ${words}</b></p>`;
    }
    if (this.reportUrl !== null || view.ended) {
      return html`<div class="idle"><b>${strings.callOver}</b><p class="row">
        ${this.reportUrl === null ? nothing : html`<a data-testid="report" href=${this.reportUrl}>${strings.report}</a>`}
        ${this.canReplay ? html`<button class="bare" @click=${() => this.dispatchEvent(new Event("replay"))}>${icon("play")} ${strings.replay}</button>` : nothing}
      </p></div>`;
    }
    if (!started(view))
      return html`<p class="idle"><b>${strings.waiting}</b>${strings.waitingHint}</p>`;
    if (this.prefs.muted)
      return html`<p class="idle"><b>${strings.muted}</b>${strings.mutedHint}</p>`;
    const talking = speakers(view);
    const first = talking[0];
    let turn: string = strings.quiet;
    if (view.hold_since_ms !== null) turn = strings.onHold;
    else if (talking.length > 1) turn = strings.bothSpeaking;
    else if (first !== undefined) turn = strings.speaking[first];
    return html`<p class="idle"><b>${strings.listening}</b><span aria-hidden="true">${turn}</span></p>`;
  }

  private controls(active: boolean): TemplateResult {
    return html`<div class="controls">
      ${VERDICTS.map(([verdict, name, key]) => {
        const label = strings.feedback[verdict];
        const short = SHORT[verdict];
        return html`<button class="bare ${verdict} ${active ? "" : "away"}" data-verdict=${verdict} title="${label} (${key})"
          aria-label=${label} ?disabled=${!active} @click=${() => this.judge(verdict)}
          >${icon(name)}${short === undefined ? nothing : html`<span class="face">${label}</span><span class="brief">${short}</span>`}</button>`;
      })}
    </div>`;
  }
}

const SHORT: Readonly<Partial<Record<Verdict, string>>> = {
  justified: "",
  snooze_5min: strings.snoozeShort,
  snooze_call: strings.snoozeCallShort,
};

customElements.define("hl-cue-slot", CueSlot);
