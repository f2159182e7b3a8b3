/** A supervisor's view of one call: why it needs somebody, its timeline, words, and a nudge. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import {
  type Backend,
  type ClientMessage,
  type Connection,
  type Listener,
  LiveBackend,
} from "../backend";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { laneData } from "../design/lanes";
import { prefs } from "../prefs";
import type { Levels } from "../sequence";
import type { Session } from "../session";
import { initial, reduce, started } from "../store";
import { clock, strings, whole } from "../strings";
import type { CallEvent, CallView } from "../types/events.gen";
import { cardOf } from "../wall/card";
import { badge, reasonText, trend } from "../wall/card-view";
import { callStyles } from "../wall/styles";
import "../design/lanes-view";
import "../panel/status";
import "../panel/transcript";
import "../wall/alerts";

const NUDGE_CHARACTERS = 60;

export class Call extends LitElement implements Listener {
  static override properties = {
    session: { attribute: false },
    callId: { attribute: false },
    view: { state: true },
    link: { state: true },
    levels: { state: true },
    reportUrl: { state: true },
    nudge: { state: true },
    sent: { state: true },
  };
  static override styles = [
    base,
    callStyles,
    css`
    :host { height: 100%; }
    .page { height: 100%; max-width: 1320px; margin: 0 auto; padding: var(--s2) var(--s4) var(--s4); display: grid; gap: var(--s3);
      grid-template: "bar bar" auto "time side" auto "words side" minmax(240px, 1fr) / minmax(0, 1fr) 320px; }
    .bar { grid-area: bar; display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2) var(--s3); min-height: 40px; }
    .bar a { display: inline-flex; align-items: center; gap: 4px; font-size: var(--t-label); color: var(--soft); text-decoration: none; }
    .bar h1 { margin: 0; }
    hl-status { flex: 1; min-width: 200px; }
    .time { grid-area: time; padding: var(--s3) var(--s4) var(--s1); }
    .time hl-lanes + hl-lanes { margin-top: var(--s1); height: 110px; border-top: 1px solid var(--line); padding-top: var(--s1); }
    hl-transcript { grid-area: words; }
    .side { grid-area: side; display: grid; gap: var(--s3); align-content: start; overflow-y: auto; min-height: 0; scrollbar-width: thin; }
    .box { padding: var(--s3) var(--s4); }
    .why li { padding: 4px 0; font-size: var(--t-body); overflow-wrap: anywhere; }
    form { display: grid; gap: var(--s2); margin-top: var(--s1); }
    .field { display: flex; gap: var(--s2); }
    .field input { flex: 1; min-width: 0; }
    dl { display: grid; grid-template-columns: 1fr auto; gap: 4px var(--s3); font-size: var(--t-label); margin-top: var(--s1); }
    dt { color: var(--soft); }
    dd { font-weight: 600; font-variant-numeric: tabular-nums; }
    @media (max-width: 900px) { .page { height: auto; grid-template: "bar" auto "side" auto "time" auto "words" minmax(260px, 1fr) / minmax(0, 1fr); padding: var(--s2); } .side { overflow: visible; } }
  `,
  ];

  declare session: Session | null;
  declare callId: string | null;
  declare view: CallView;
  declare link: Connection;
  declare levels: Levels;
  declare reportUrl: string | null;
  declare nudge: string;
  declare sent: boolean;
  private backend: Backend | null = null;

  constructor() {
    super();
    this.session = null;
    this.callId = null;
    this.view = initial;
    this.link = "connecting";
    this.levels = {};
    this.reportUrl = null;
    this.nudge = "";
    this.sent = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    prefs.addEventListener("change", this.onPrefs);
    if (this.session !== null && this.callId !== null) {
      this.play(new LiveBackend(this.session, this.callId, "watch"));
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    prefs.removeEventListener("change", this.onPrefs);
    this.backend?.stop();
  }

  private readonly onPrefs = (): void => this.requestUpdate();

  /** Show what a backend tells. */
  play(backend: Backend): void {
    this.backend = backend;
    backend.start(this);
  }

  connection(state: Connection): void {
    this.link = state;
  }

  snapshot(view: CallView, positionMs: number): void {
    this.view = view;
    this.position(positionMs, {});
  }

  event(event: CallEvent): void {
    this.view = reduce(this.view, event);
  }

  position(atMs: number, levels: Levels): void {
    this.view = { ...this.view, position_ms: Math.max(this.view.position_ms, atMs) };
    this.levels = { ...this.levels, ...levels };
  }

  watchers(): void {}

  report(url: string): void {
    this.reportUrl = url;
  }

  private readonly onNudge = (event: SubmitEvent): void => {
    event.preventDefault();
    const text = this.nudge.trim();
    if (text === "") return;
    this.backend?.send({ type: "nudge", text, nudge: crypto.randomUUID() });
    this.nudge = "";
    this.sent = true;
  };

  protected override render(): TemplateResult {
    const { view } = this;
    const card = cardOf(view);
    const moving = this.link === "live" && !view.ended;
    return html`<div class="page">
      <div class="bar">
        <a href="#wall">${icon("back", 16)} ${strings.call.back}</a>
        <h1>${view.agent ?? strings.wall.unnamed}</h1>
        ${badge(card.severity)}
        <time class="num soft small">${clock(view.position_ms)}</time>
        <span class="visually-hidden" data-testid="connection">${strings.connection[this.link]}</span>
        <hl-status .view=${view} .link=${this.link} .levels=${this.levels}></hl-status>
        ${this.reportUrl === null ? nothing : html`<a class="button" data-testid="report" href=${this.reportUrl}>${strings.report}</a>`}
      </div>
      <section class="card time" aria-label=${strings.timeline}>
        <hl-lanes .data=${laneData(view)} .nowMs=${view.position_ms} .spanMs=${0} .label=${strings.timeline}></hl-lanes>
        ${moving ? html`<hl-lanes .data=${laneData(view)} .nowMs=${view.position_ms} .spanMs=${30_000} moving .label=${strings.lanes}></hl-lanes>` : nothing}
      </section>
      <hl-transcript class="card" .view=${view}></hl-transcript>
      <div class="side">
        <section class="card box" aria-label=${strings.call.reasons}><h2>${strings.call.reasons}</h2>
          ${
            card.reasons.length === 0
              ? html`<p class="soft small">${strings.call.quiet}</p>`
              : html`<ul class="why">${card.reasons.map((reason) => html`<li>${reasonText(reason, view.position_ms)}</li>`)}</ul>`
          }${trend(card.sentiment)}</section>
        ${this.alertsView()}
        ${started(view) && !view.ended && this.reportUrl === null ? this.nudgeView() : nothing}
        ${this.metricsView()}
      </div>
    </div>`;
  }

  private alertsView(): TemplateResult | typeof nothing {
    const { call_id, agent, alerts, position_ms } = this.view;
    if (alerts.length === 0) return nothing;
    const open = alerts.map((alert) => ({
      callId: call_id,
      agent,
      alert,
      agoMs: position_ms - alert.at_ms,
    }));
    return html`<hl-alerts .alerts=${open} @answer=${(event: CustomEvent<ClientMessage>) => this.backend?.send(event.detail)}></hl-alerts>`;
  }

  private nudgeView(): TemplateResult {
    const { call } = strings;
    return html`<section class="card box"><h2>${call.nudge}</h2>
      <form @submit=${this.onNudge}>
        <p class="small soft" id="nudge-hint">${call.nudgeHint}</p>
        <p class="field"><input aria-label=${call.nudge} aria-describedby="nudge-hint" maxlength=${NUDGE_CHARACTERS} placeholder=${call.nudgePlaceholder} .value=${this.nudge}
          @input=${(event: InputEvent) => {
            this.nudge = (event.target as HTMLInputElement).value;
            this.sent = false;
          }}><button class="main" ?disabled=${this.nudge.trim() === ""}>${call.send}</button></p>
        <p class="row tiny soft"><span class="grow" role="status">${this.sent ? `✓ ${call.sent}` : call.seen}</span>
          <span class="num">${this.nudge.length} / ${NUDGE_CHARACTERS}</span></p>
      </form></section>`;
  }

  private metricsView(): TemplateResult {
    const { call } = strings;
    const metrics = this.view.metrics;
    const value = (number: number | null | undefined, unit: string, scale = 1) =>
      number === null || number === undefined
        ? html`<span class="soft">${strings.unknown}</span>`
        : `${whole(number * scale)}${unit}`;
    return html`<section class="card box"><h2>${call.metrics}</h2><dl>
      <dt>${call.talkShare}</dt><dd>${value(metrics?.talk_share_agent, " %", 100)}</dd>
      <dt>${call.overlap}</dt><dd>${value(metrics?.overlap_ms, " s", 0.001)}</dd>
      <dt>${call.silence}</dt><dd>${value(metrics?.longest_silence_ms, " s", 0.001)}</dd>
      <dt>${call.paceAgent}</dt><dd>${value(metrics?.words_per_minute_agent, ` ${strings.perMinute}`)}</dd>
      <dt>${call.paceCustomer}</dt><dd>${value(metrics?.words_per_minute_customer, ` ${strings.perMinute}`)}</dd>
    </dl></section>`;
  }
}

customElements.define("hl-call", Call);
