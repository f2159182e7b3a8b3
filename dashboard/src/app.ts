import { css, html, LitElement, nothing, type PropertyValues, svg, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import {
  type Backend,
  type Connection,
  type Listener,
  LiveBackend,
  parseJsonLines,
  StaticBackend,
  type Verdict,
} from "./backend";
import { cueIcon, thumb } from "./icons";
import { drawLanes } from "./lanes";
import {
  initial,
  pieces,
  reduce,
  type State,
  speakers,
  transcriptDelay,
  type Utterance,
} from "./store";
import { clock, strings } from "./strings";
import { panelStyles } from "./styles";
import type { CallEvent } from "./types/events.gen";

/** How long a resolved cue shows its tick, in milliseconds. */
const RESOLVED_MS = 900;
/** Delay of the transcript from which it is said, in milliseconds. */
const DELAY_MS = 2000;

interface Gauge {
  readonly label: string;
  readonly value: number | null;
  readonly unit: string;
  readonly top: number;
  readonly normal: readonly [number, number];
}

class HeartlineApp extends LitElement implements Listener {
  static override properties = {
    call: { state: true },
    link: { state: true },
    reportUrl: { state: true },
    tick: { state: true },
    follows: { state: true },
  };
  static override styles = [css`:host { display: block; height: 100%; }`, panelStyles];

  declare call: State;
  declare link: Connection;
  declare reportUrl: string | null;
  declare tick: boolean;
  declare follows: boolean;
  private backend: Backend | null = null;
  private frame = 0;
  private heardAt = 0;
  private tickTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor() {
    super();
    this.call = initial;
    this.link = "connecting";
    this.reportUrl = null;
    this.tick = false;
    this.follows = true;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.onKey);
    void this.begin();
    const draw = () => {
      this.frame = requestAnimationFrame(draw);
      this.draw();
    };
    draw();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.onKey);
    cancelAnimationFrame(this.frame);
    this.backend?.stop();
  }

  private async begin(): Promise<void> {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (import.meta.env.DEV && wanted.has("demo")) {
      const saved = await import("../demo/events.jsonl?raw");
      const fromMs = Number(wanted.get("demo") ?? 0);
      this.backend = new StaticBackend(parseJsonLines(saved.default), fromMs);
    } else {
      this.backend = new LiveBackend(wanted.get("t"), wanted.get("call"));
    }
    this.backend.start(this);
  }

  connection(state: Connection): void {
    this.link = state;
  }

  snapshot(events: readonly CallEvent[], positionMs: number): void {
    const state = events.reduce(reduce, initial);
    this.reportUrl = null;
    this.call = { ...state, started: true, resolved: null };
    this.position(positionMs);
  }

  event(event: CallEvent): void {
    const before = this.call.resolved;
    this.call = reduce(this.call, event);
    this.heardAt = performance.now();
    if (this.call.resolved !== null && this.call.resolved !== before) {
      this.tick = true;
      clearTimeout(this.tickTimer);
      this.tickTimer = setTimeout(() => {
        this.tick = false;
      }, RESOLVED_MS);
    }
  }

  position(atMs: number): void {
    this.call = { ...this.call, positionMs: Math.max(this.call.positionMs, atMs) };
    this.heardAt = performance.now();
  }

  report(url: string): void {
    this.reportUrl = url;
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const verdicts: Readonly<Record<string, Verdict>> = {
      u: "up",
      d: "down",
      x: "dismiss",
      s: "snooze_5min",
      S: "snooze_call",
    };
    const verdict = verdicts[event.key];
    if (verdict !== undefined) this.judge(verdict);
    else if (event.key === "p") this.togglePause();
  };

  private judge(verdict: Verdict): void {
    const cue = this.call.cue;
    if (cue !== null) this.backend?.send({ type: "feedback", cue: cue.id, verdict });
  }

  private togglePause(): void {
    this.backend?.send({ type: this.call.paused ? "resume_capture" : "pause_capture" });
  }

  private draw(): void {
    const canvas = this.renderRoot?.querySelector("canvas");
    const context = canvas?.getContext("2d");
    if (!canvas || !context) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const moving = this.link === "live" && !this.call.ended && !this.still.matches;
    const ahead = moving ? Math.min(500, performance.now() - this.heardAt) : 0;
    drawLanes(context, this.call, this.call.positionMs + ahead, width, height, {
      agent: colour("--agent"),
      customer: colour("--customer"),
      mark: colour("--mark"),
      line: colour("--line"),
      label: colour("--soft"),
      ground: colour("--card"),
    });
  }

  protected override updated(_changed: PropertyValues): void {
    if (!this.follows) return;
    const list = this.renderRoot.querySelector(".transcript");
    if (list) list.scrollTop = list.scrollHeight;
  }

  private readonly onScroll = (event: Event): void => {
    const list = event.currentTarget as HTMLElement;
    this.follows = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  };

  protected override render(): TemplateResult {
    const delay = transcriptDelay(this.call);
    return html`<main>
      <header>
        <strong>${strings.product}</strong>
        <span class="grow"></span>
        ${
          delay > DELAY_MS && this.link === "live"
            ? html`<span class="delay">${strings.delay((delay / 1000).toFixed(0))}</span>`
            : nothing
        }
        <time>${this.call.started ? clock(this.call.positionMs) : ""}</time>
        <span class="link ${this.link}" data-testid="connection" role="status"
          ><i></i>${strings.connection[this.link]}</span
        >
      </header>
      <div class="banners" role="alert">
        ${this.link === "offline" ? html`<p class="banner bad">${strings.offline}</p>` : nothing}
        ${this.link === "refused" ? html`<p class="banner bad">${strings.refused}</p>` : nothing}
        ${this.call.paused ? html`<p class="banner bad">${strings.paused}</p>` : nothing}
        ${this.call.mixed ? html`<p class="banner">${strings.mixed}</p>` : nothing}
      </div>
      ${this.slotView()}
      <section class="card lanes"><canvas role="img" aria-label=${strings.lanes}></canvas></section>
      <section class="gauges">${this.gauges().map((gauge) => this.gaugeView(gauge))}</section>
      ${this.transcriptView()}
    </main>`;
  }

  private slotView(): TemplateResult {
    const { cue, resolved } = this.call;
    return html`<section class="card slot" aria-label=${strings.currentCue}>
      <div class="words" aria-live="polite">
        ${
          cue !== null
            ? html`<div class="cue" data-testid="cue" data-rule=${cue.rule}>
                <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${cueIcon(cue.icon, cue.rule)}</svg>
                <div><p class="say">${cue.text}</p><p class="why">${cue.evidence_line}</p></div>
              </div>`
            : resolved !== null && this.tick
              ? html`<p class="idle done">✓ ${strings.resolved}</p>`
              : this.idleView()
        }
      </div>
      ${this.controls(cue !== null)}
    </section>`;
  }

  private idleView(): TemplateResult {
    if (this.reportUrl !== null || this.call.ended) {
      return html`<p class="idle">${strings.callOver}
        ${this.reportUrl === null ? nothing : html`<a data-testid="report" href=${this.reportUrl}>${strings.report}</a>`}</p>`;
    }
    if (!this.call.started) return html`<p class="idle">${strings.waiting}</p>`;
    const talking = speakers(this.call);
    const first = talking[0];
    let turn: string = strings.quiet;
    if (this.call.onHold) turn = strings.onHold;
    else if (talking.length > 1) turn = strings.bothSpeaking;
    else if (first !== undefined) turn = strings.speaking[first];
    return html`<p class="idle">${strings.listening}<span aria-hidden="true">${turn}</span></p>`;
  }

  private controls(active: boolean): TemplateResult {
    const faces: readonly (readonly [Verdict, string])[] = [
      ["up", ""],
      ["down", ""],
      ["dismiss", "✕"],
      ["snooze_5min", strings.snoozeShort.snooze_5min],
      ["snooze_call", strings.snoozeShort.snooze_call],
    ];
    const live = this.call.started && !this.call.ended;
    return html`<div class="controls">
      ${faces.map(([verdict, face]) => {
        const title = strings.feedback[verdict as keyof typeof strings.feedback];
        return html`<button class="${active ? "" : "away"}" data-verdict=${verdict} title=${title}
          aria-label=${title} ?disabled=${!active} @click=${() => this.judge(verdict)}
          >${face === "" ? html`<svg class="thumb ${verdict}" viewBox="0 0 24 24" aria-hidden="true">${thumb}</svg>` : nothing}${verdict.startsWith("snooze") ? html`<small>zᶻ</small> ` : nothing}${face}</button>`;
      })}
      <span class="grow"></span>
      <button class="${live ? "" : "away"}" ?disabled=${!live} @click=${() => this.togglePause()}>
        ${this.call.paused ? strings.resume : strings.pause}
      </button>
    </div>`;
  }

  private gauges(): readonly Gauge[] {
    const metrics = this.call.metrics;
    const share = metrics?.talk_share_agent ?? null;
    const { gauges } = strings;
    const silence = metrics === null ? null : metrics.longest_silence_ms / 1000;
    const cuts = metrics === null || this.call.mixed ? null : metrics.interruptions_agent;
    return [
      {
        label: gauges.share,
        value: share === null ? null : share * 100,
        unit: "%",
        top: 100,
        normal: [35, 65],
      },
      {
        label: gauges.pace,
        value: metrics?.words_per_minute_agent ?? null,
        unit: strings.perMinute,
        top: 260,
        normal: [120, 190],
      },
      { label: gauges.interruptions, value: cuts, unit: "", top: 8, normal: [0, 2] },
      { label: gauges.silence, value: silence, unit: strings.seconds, top: 30, normal: [0, 10] },
    ];
  }

  private gaugeView({ label, value, unit, top, normal }: Gauge): TemplateResult {
    const at = value === null ? 0 : Math.min(100, (value / top) * 100);
    const from = (normal[0] / top) * 100;
    const to = (normal[1] / top) * 100;
    return html`<div class="card gauge ${value === null ? "unknown" : ""}">
      <span class="label">${label}</span>
      <span class="value">${value === null ? strings.unknown : Math.round(value)}${
        value === null ? nothing : html`<small>${unit}</small>`
      }</span>
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="8"></rect>
        <rect class="normal" x=${from} width=${to - from} height="8"></rect>
        ${value === null ? nothing : svg`<rect class="needle" x=${Math.min(97.5, at)} width="2.5" height="8"></rect>`}
      </svg>
    </div>`;
  }

  private transcriptView(): TemplateResult {
    const { utterances, transcribed } = this.call;
    return html`<section class="card words-card">
      <div class="transcript" data-testid="transcript" role="log" aria-live="off" tabindex="0"
        aria-label=${strings.transcript} @scroll=${this.onScroll}>
        ${utterances.length === 0 ? html`<p class="empty">${transcribed ? strings.noWords : strings.notTranscribed}</p>` : nothing}
        ${repeat(
          utterances,
          (utterance) => utterance.id,
          (utterance) => this.rowView(utterance),
        )}
      </div>
      ${
        this.follows
          ? nothing
          : html`<button class="follow" @click=${() => {
              this.follows = true;
            }}>↓ ${strings.follow}</button>`
      }
    </section>`;
  }

  private rowView(utterance: Utterance): TemplateResult {
    const acts = this.call.acts[utterance.id] ?? [];
    return html`<div class="row ${utterance.channel}" data-channel=${utterance.channel}>
      <span class="who">${strings.channel[utterance.channel]}<time>${clock(utterance.startMs)}</time></span>
      <p>${utterance.failed ? html`<span class="tail">${strings.notDecoded}</span>` : this.text(utterance.stable)}
        ${utterance.tail === "" ? nothing : html`<span class="tail">${this.text(utterance.tail)}</span>`}</p>
      <span class="acts">${acts.map(
        (act) => html`<span class="act" title=${act.text}>${act.kind.replaceAll("_", " ")}</span>`,
      )}</span>
    </div>`;
  }

  private text(words: string): readonly TemplateResult[] {
    return pieces(words).map((piece) =>
      piece.redacted
        ? html`<span class="hidden" role="img" title=${strings.redacted(piece.text)} aria-label=${strings.redacted(piece.text)}>▒▒▒▒</span>`
        : html`${piece.text}`,
    );
  }
}

customElements.define("heartline-app", HeartlineApp);
