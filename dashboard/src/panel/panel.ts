/** The agent panel: one cue slot, the floor, four gauges, the checklist, promises, the words. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import {
  type Backend,
  type ClientMessage,
  type Connection,
  type Listener,
  LiveBackend,
  StaticBackend,
  savedEvents,
  type Verdict,
} from "../backend";
import { base } from "../design/base";
import { type IconName, icon } from "../design/icons";
import { laneData } from "../design/lanes";
import { prefs } from "../prefs";
import type { Levels } from "../sequence";
import type { Session } from "../session";
import { initial, reduce, started } from "../store";
import { clock, strings } from "../strings";
import type { CallEvent, CallView } from "../types/events.gen";
import type { CueSlot } from "./cue-slot";
import "../design/lanes-view";
import "./checklist-view";
import "./cue-slot";
import "./gauges";
import "./promises";
import "./status";
import "./transcript";

/** How long the empty panel is held back: drawing it twice costs more than a quick first answer. */
const PATIENCE_MS = 300;
const KEYS: Readonly<Record<string, Verdict>> = {
  u: "up",
  d: "down",
  j: "justified",
  x: "dismiss",
  s: "snooze_5min",
  S: "snooze_call",
};

export class Panel extends LitElement implements Listener {
  static override properties = {
    session: { attribute: false },
    callId: { attribute: false },
    replayId: { attribute: false },
    view: { state: true },
    link: { state: true },
    reportUrl: { state: true },
    levels: { state: true },
    watching: { state: true },
    quietMs: { state: true },
    settled: { state: true },
    whole: { state: true },
  };
  static override styles = [
    base,
    css`
    :host { height: 100%; }
    .panel { height: 100%; max-width: 1240px; margin: 0 auto; padding: var(--s2) var(--s4) var(--s4); display: grid; gap: var(--s3);
      grid-template: "bar bar" auto "slot side" auto "floor side" auto "gauges side" auto "words side" minmax(200px, 1fr) / minmax(0, 1fr) 300px; }
    .bar { grid-area: bar; display: flex; align-items: center; gap: var(--s3); min-height: 36px; }
    hl-status { flex: 1; min-width: 0; }
    .link { display: inline-flex; align-items: center; gap: 6px; font-size: var(--t-label); color: var(--soft); white-space: nowrap; }
    .link i { width: 8px; height: 8px; border-radius: 50%; border: 2px solid var(--line-strong); }
    .link.ready i { border-color: var(--ok); }
    .link.live i { background: var(--ok); border-color: var(--ok); }
    .link.offline, .link.refused { color: var(--mark); }
    .link.offline i, .link.refused i { border-color: var(--mark); }
    hl-cue-slot { grid-area: slot; }
    .floor { grid-area: floor; padding: var(--s3) var(--s4) var(--s1); }
    hl-gauges { grid-area: gauges; }
    hl-transcript { grid-area: words; }
    .side { grid-area: side; display: flex; flex-direction: column; gap: var(--s3); min-height: 0; overflow-y: auto; }
    .own { padding: 6px; display: grid; grid-template-columns: 1fr 1fr; gap: 4px; }
    .own button { justify-content: flex-start; color: var(--text); min-height: 34px; padding: 0 6px; gap: 5px; }
    .own button:disabled { color: var(--soft); }
    .own button:disabled .icon { opacity: 0.6; }
    .own .on { color: var(--accent); background: var(--sunken); }
    .own .stop.on { color: var(--mark); background: var(--mark-ground); }
    .replay { display: flex; align-items: center; gap: var(--s2); padding: 6px var(--s3); }
    .replay input { flex: 1; padding: 0; min-height: 0; accent-color: var(--accent); }
    .replay select { min-height: 28px; }
    @media (max-width: 900px) {
      .panel { height: auto; min-height: 100%; grid-template: "bar" auto "slot" auto "floor" auto "gauges" auto "side" auto "words" minmax(260px, 1fr) / minmax(0, 1fr); }
      .side { overflow: visible; display: grid; grid-template-columns: 1fr 1fr; align-items: start; }
      .side .own { grid-column: 1 / -1; grid-template-columns: repeat(4, 1fr); }
      .side .own button { justify-content: center; }
    }
    @media (max-width: 560px) {
      .panel { padding: var(--s1) var(--s2) var(--s2); gap: var(--s2); }
      .bar { flex-wrap: wrap; gap: var(--s1) var(--s2); min-height: 0; }
      hl-status { flex-basis: 100%; order: 3; }
      .bar .grow { display: block; }
      .floor { padding: var(--s2) var(--s3) 0; }
      .side { grid-template-columns: 1fr; gap: var(--s2); }
      .side .own { grid-template-columns: 1fr 1fr; }
    }
  `,
  ];

  declare session: Session | null;
  declare callId: string | null;
  /** A saved call to be played instead of a live one. */
  declare replayId: string | null;
  declare view: CallView;
  declare link: Connection;
  declare reportUrl: string | null;
  declare levels: Levels;
  declare watching: number;
  declare quietMs: number;
  /** Whether there is something to show, or the first word of it takes long. */
  declare settled: boolean;
  /** Whether the rest may follow: the cue slot is painted first. */
  declare whole: boolean;
  private backend: Backend | null = null;
  private heardAt = performance.now();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    this.session = null;
    this.callId = null;
    this.replayId = null;
    this.view = initial;
    this.link = "connecting";
    this.reportUrl = null;
    this.levels = {};
    this.watching = 0;
    this.quietMs = 0;
    this.settled = false;
    this.whole = false;
  }

  protected override updated(): void {
    // After the frame that shows the slot, the next task draws the rest.
    if (this.settled && !this.whole)
      requestAnimationFrame(() =>
        setTimeout(() => {
          this.whole = true;
        }),
      );
  }

  override connectedCallback(): void {
    super.connectedCallback();
    setTimeout(() => {
      this.settled = true;
    }, PATIENCE_MS);
    window.addEventListener("keydown", this.onKey);
    prefs.addEventListener("change", this.onPrefs);
    this.timer = setInterval(() => this.watchTheLine(), 1000);
    if (this.session !== null) void this.begin(this.session);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.onKey);
    prefs.removeEventListener("change", this.onPrefs);
    clearInterval(this.timer);
    this.backend?.stop();
  }

  private readonly onPrefs = (): void => this.requestUpdate();

  private async begin(session: Session): Promise<void> {
    this.backend?.stop();
    if (this.replayId === null) {
      this.play(new LiveBackend(session, this.callId));
      return;
    }
    try {
      this.play(new StaticBackend(await savedEvents(session, this.replayId)));
    } catch {
      this.link = "offline";
    }
  }

  /** Show what a backend tells; the gallery and the tests bring their own. */
  play(backend: Backend): void {
    this.backend = backend;
    backend.start(this);
  }

  /** How long nothing came, said from 3 s on: the server's clock is not compared with ours. */
  private watchTheLine(): void {
    const quietMs = performance.now() - this.heardAt;
    this.quietMs = this.link === "live" && quietMs > 3_000 ? quietMs : 0;
  }

  connection(state: Connection): void {
    this.link = state;
    this.settled = true;
    this.heardAt = performance.now();
  }

  snapshot(view: CallView, positionMs: number): void {
    this.reportUrl = null;
    this.view = { ...view, resolved: null };
    this.position(positionMs, {});
  }

  event(event: CallEvent): void {
    this.view = reduce(this.view, event);
    this.heardAt = performance.now();
  }

  position(atMs: number, levels: Levels): void {
    this.view = { ...this.view, position_ms: Math.max(this.view.position_ms, atMs) };
    this.levels = { ...this.levels, ...levels };
    this.heardAt = performance.now();
  }

  watchers(count: number): void {
    this.watching = count;
  }

  report(url: string): void {
    this.reportUrl = url;
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || !prefs.value.keys) return;
    const target = event.composedPath()[0];
    if (target instanceof HTMLElement && target.matches("input, textarea, select")) return;
    const verdict = KEYS[event.key];
    if (verdict !== undefined) this.slotted?.judge(verdict);
    else if (event.key === "p") this.togglePause();
    else if (event.key === "h") this.toggleHand();
    else if (event.key === "m") prefs.set({ muted: !prefs.value.muted });
    else if (event.key === "q") prefs.set({ quiet: !prefs.value.quiet });
    else return;
    event.preventDefault();
  };

  private get slotted(): CueSlot | null {
    return this.renderRoot.querySelector("hl-cue-slot");
  }

  private send(message: ClientMessage): void {
    this.backend?.send(message);
  }

  private readonly onVerdict = (event: CustomEvent<Verdict>): void => {
    const { cue } = this.view;
    if (cue !== null) this.send({ type: "feedback", cue: cue.id, verdict: event.detail });
  };

  private togglePause(): void {
    this.send({ type: this.view.paused ? "resume_capture" : "pause_capture" });
  }

  private toggleHand(): void {
    this.send({ type: "raise_hand", raised: this.view.hand_since_ms === null });
  }

  private readonly onReplay = (): void => {
    location.hash = `replay/${encodeURIComponent(this.view.call_id)}`;
  };

  protected override render(): TemplateResult {
    const title = html`<h1 class="visually-hidden">${strings.nav.panel}</h1>`;
    if (!this.settled) return title;
    const { view, link } = this;
    const live = started(view) && !view.ended && link === "live";
    const playing = link === "replay" && this.player?.playing === true;
    const moving = (link === "live" || playing) && !view.ended;
    return html`<div class="panel">${title}
      <div class="bar">
        <hl-status .view=${view} .link=${link} .levels=${this.levels} .watchers=${this.watching} .quietMs=${this.quietMs}></hl-status>
        <span class="grow" hidden></span>
        ${started(view) ? html`<time class="small num soft">${clock(view.position_ms)}</time>` : nothing}
        <span class="link ${link}"><i></i><span data-testid="connection" role="status">${strings.connection[link]}</span></span>
      </div>
      <hl-cue-slot .prefs=${prefs.value} .view=${view} .link=${link} .reportUrl=${this.reportUrl} ?canReplay=${view.ended && this.session !== null && this.replayId === null}
        @verdict=${this.onVerdict} @replay=${this.onReplay}></hl-cue-slot>
      ${this.whole ? this.rest(live, moving) : nothing}
    </div>`;
  }

  private rest(live: boolean, moving: boolean): TemplateResult {
    const { view } = this;
    return html`<section class="card floor" aria-label=${strings.lanes}>
        <hl-lanes .data=${laneData(view)} .nowMs=${view.position_ms} .spanMs=${30_000} ?moving=${moving} .label=${strings.lanes}></hl-lanes>
      </section>
      <hl-gauges .view=${view}></hl-gauges>
      <div class="side">
        ${this.player ? this.replayBar(this.player) : this.ownControls(live)}
        <hl-checklist .view=${view}></hl-checklist>
        <hl-promises .view=${view} @answer=${(event: CustomEvent<ClientMessage>) => this.send(event.detail)}></hl-promises>
      </div>
      <hl-transcript class="card" .view=${view}></hl-transcript>`;
  }

  private get player(): StaticBackend | null {
    return this.backend instanceof StaticBackend ? this.backend : null;
  }

  private ownControls(live: boolean): TemplateResult {
    const { paused, hand_since_ms } = this.view;
    const { muted, quiet } = prefs.value;
    const button = (
      name: IconName,
      label: string,
      key: string,
      on: boolean,
      enabled: boolean,
      press: () => void,
    ) => html`<button class="bare ${name === "record" ? "stop" : ""} ${on ? "on" : ""}" aria-pressed=${on} title="${label} (${key})"
        ?disabled=${!enabled} @click=${press}>${icon(name)} ${label}</button>`;
    return html`<div class="card own" role="group" aria-label=${strings.nav.panel}>
      ${button("raise", hand_since_ms === null ? strings.raiseHand : strings.lowerHand, "H", hand_since_ms !== null, live, () => this.toggleHand())}
      ${button("record", paused ? strings.resume : strings.pause, "P", paused, live, () => this.togglePause())}
      ${button("mute", muted ? strings.unmutePanel : strings.mutePanel, "M", muted, true, () => prefs.set({ muted: !muted }))}
      ${button("quiet", strings.quietMode, "Q", quiet, true, () => prefs.set({ quiet: !quiet }))}
    </div>`;
  }

  private replayBar(player: StaticBackend): TemplateResult {
    const { playback } = strings;
    const toggle = () => {
      if (player.playing) player.pause();
      else player.play();
      this.requestUpdate();
    };
    return html`<div class="card replay" role="group" aria-label=${strings.replay}>
      <button class="bare" aria-label=${player.playing ? playback.pause : playback.play} @click=${toggle}>${icon(player.playing ? "pause" : "play")}</button>
      <input type="range" min="0" max=${player.durationMs} step="1000" aria-label=${playback.position} .value=${String(this.view.position_ms)}
        @input=${(event: InputEvent) => player.seek(Number((event.target as HTMLInputElement).value))}>
      <select aria-label=${playback.speed} @change=${(event: Event) => {
        player.speed = Number((event.target as HTMLSelectElement).value);
      }}>${[1, 4, 16].map((speed) => html`<option value=${speed}>${speed}×</option>`)}</select>
    </div>`;
  }
}

customElements.define("hl-panel", Panel);
