/** `<hl-gauges>`: four figures of the call, each with its usual range. Unknown is grey, never 0. */
import { css, html, LitElement, nothing, svg, type TemplateResult } from "lit";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { initial, mixed } from "../store";
import { strings, whole } from "../strings";
import type { CallView } from "../types/events.gen";

interface Gauge {
  readonly name: string;
  readonly label: string;
  readonly value: number | null;
  readonly unit: string;
  readonly top: number;
  readonly usual: readonly [number, number];
}

/** Pace of most service calls, words a minute, for an agent whose own usual is unknown. */
const PACE: readonly [number, number] = [120, 180];

/** The figures and their ranges; a range is where most good calls of a service desk lie. */
export function gaugesOf(view: CallView): readonly Gauge[] {
  const metrics = view.metrics;
  const share = metrics?.talk_share_agent ?? null;
  const { gauges } = strings;
  return [
    {
      name: "share",
      label: gauges.share,
      value: share === null ? null : share * 100,
      unit: " %",
      top: 100,
      usual: [35, 65],
    },
    {
      name: "pace",
      label: gauges.pace,
      value: metrics?.words_per_minute_agent ?? null,
      unit: ` ${strings.perMinute}`,
      top: 260,
      usual: view.usual_wpm === null ? PACE : [view.usual_wpm * 0.75, view.usual_wpm * 1.25],
    },
    {
      name: "interruptions",
      label: gauges.interruptions,
      value: metrics === null || mixed(view) ? null : metrics.interruptions_agent,
      unit: "",
      top: 8,
      usual: [0, 2],
    },
    {
      name: "silence",
      label: gauges.silence,
      value: metrics === null ? null : metrics.longest_silence_ms / 1000,
      unit: ` ${strings.seconds}`,
      top: 30,
      usual: [0, 8],
    },
  ];
}

export class Gauges extends LitElement {
  static override properties = { view: { attribute: false } };
  static override styles = [
    base,
    css`
    :host { container-type: inline-size; }
    dl { display: grid; grid-template-columns: repeat(4, 1fr); gap: var(--s3); }
    .gauge { padding: var(--s3) var(--s4); display: grid; gap: 2px; min-width: 0; }
    dt { font-size: var(--t-label); color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
    .value { font-size: var(--t-value); line-height: 1.25; font-weight: 600; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
    .value small { font-size: var(--t-label); font-weight: 450; color: var(--soft); letter-spacing: 0; }
    .unknown .value { color: var(--soft); font-weight: 400; }
    svg.scale { display: block; width: 100%; height: 6px; border-radius: 3px; }
    .track { fill: var(--sunken); }
    .usual { fill: var(--usual); }
    .needle { fill: var(--text); }
    .unknown .usual { fill: var(--line); }
    .range { font-size: var(--t-small); color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
    .range b { color: var(--warn); }
    .range .icon { stroke-width: 3; width: 12px; height: 12px; }
    @container (max-width: 740px) { .gauge { padding: var(--s3); } .value small { font-size: var(--t-small); } .range .unit { display: none; } .value { white-space: nowrap; font-size: 1.375rem; } }
    @container (max-width: 540px) { dl { grid-template-columns: 1fr 1fr; gap: var(--s2); } .gauge { padding: var(--s2) var(--s3); } .range .unit { display: inline; } [data-gauge="pace"] .unit { display: none; } }
  `,
  ];

  declare view: CallView;

  constructor() {
    super();
    this.view = initial;
  }

  protected override shouldUpdate(changed: Map<PropertyKey, unknown>): boolean {
    const before = changed.get("view") as CallView | undefined;
    return before?.metrics !== this.view.metrics || before?.channels !== this.view.channels;
  }

  protected override render(): TemplateResult {
    return html`<dl aria-label=${strings.gauges.label}>${gaugesOf(this.view).map(gaugeView)}</dl>`;
  }
}

/** An arrow beside the range when the value is outside it; the word is for those who hear it. */
function outside(name: "up" | "down", word: string): TemplateResult {
  return html`<b>${icon(name, 12)}<span class="visually-hidden">${word}, </span></b> `;
}

function gaugeView({ name, label, value, unit, top, usual }: Gauge): TemplateResult {
  const at = value === null ? 0 : Math.min(100, (value / top) * 100);
  const from = (usual[0] / top) * 100;
  const to = (usual[1] / top) * 100;
  const range = strings.gauges.usual(Math.round(usual[0]), Math.round(usual[1]));
  const above = value !== null && value > usual[1];
  const below = value !== null && value < usual[0];
  return html`<div class="card gauge ${value === null ? "unknown" : ""}" data-gauge=${name}>
    <dt>${label}</dt>
    <dd class="value">${value === null ? html`<span aria-hidden="true">${strings.unknown}</span><span class="visually-hidden">${strings.unknownWords}</span>` : whole(value)}${value === null ? nothing : html`<small>${unit}</small>`}</dd>
    <dd aria-hidden="true"><svg class="scale" viewBox="0 0 100 6" preserveAspectRatio="none">
      <rect class="track" width="100" height="6"></rect>
      <rect class="usual" x=${from} width=${to - from} height="6"></rect>
      ${value === null ? nothing : svg`<rect class="needle" x=${Math.min(98, at)} width="2" height="6"></rect>`}
    </svg></dd>
    <dd class="range">${above ? outside("up", strings.gauges.above) : below ? outside("down", strings.gauges.below) : nothing}${range}<span class="unit">${unit}</span></dd>
  </div>`;
}

customElements.define("hl-gauges", Gauges);
