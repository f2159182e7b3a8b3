/** The design system on one page: every component in every state, from the golden logs. */
import { css, html, LitElement, type TemplateResult, unsafeCSS } from "lit";
import { parseJsonLines } from "../backend";
import { base } from "../design/base";
import { icon, iconNames } from "../design/icons";
import { laneData } from "../design/lanes";
import { initial, reduceAll } from "../store";
import type { CallEvent, CallView } from "../types/events.gen";
import { cardOf } from "../wall/card";
import { badge, cardView, rowView, trend } from "../wall/card-view";
import { callStyles, wallStyles } from "../wall/styles";
import "../panel/panel";
import type { Rule } from "../rules/rules";
import { trialView } from "../rules/trial-view";
import { chart, chartStyles, type Series } from "../trends/chart";
import "../rules/rule-editor";
import "../wall/alerts";

const files = import.meta.glob<string>("../../../tests/golden/*.jsonl", {
  query: "?url",
  import: "default",
  eager: true,
});

type Logs = Readonly<Record<string, readonly CallEvent[]>>;

/** A rule as it stands, and one whose pause was changed. */
const RULE: Rule = {
  id: "dead_air",
  text: "Say what you're doing",
  when: "silence.mutual_ms >= 8s and silence.owed_by == agent and not hold",
  clear_when: "agent.speaking or customer.speaking",
  cooldown_ms: 60_000,
  ttl_ms: 8_000,
  hold_ms: 0,
  max_per_call: 4,
  priority: 2,
  latency_class: "A",
  confidence_floor: 0.8,
  icon: "clock",
  better_wording: [],
  why: "",
  enabled: true,
  file: null,
  packaged: {},
};
const CHANGED: Rule = { ...RULE, cooldown_ms: 90_000, packaged: { cooldown_ms: 60_000 } };
const TRIAL = {
  calls: 12,
  duration_ms: 3_000_000,
  total_before: 31,
  total_after: 27,
  rules: [
    {
      rule: "dead_air",
      before: 9,
      after: 5,
      withheld_before: 2,
      withheld_after: 1,
      gone: [{ call_id: "c_1", at_ms: 83_000, evidence_line: "Silent for 8 s" }],
      come: [],
    },
  ],
};

const COLOURS = [
  "ground",
  "card",
  "sunken",
  "line",
  "line-strong",
  "text",
  "soft",
  "agent",
  "customer",
  "mark",
  "warn",
  "ok",
  "usual",
  "accent",
] as const;
const TYPE = ["small", "label", "body", "lead", "value", "cue"] as const;
const SPACE = ["s1", "s2", "s3", "s4", "s5", "s6"] as const;

export class Gallery extends LitElement {
  static override properties = { logs: { state: true } };
  static override styles = [
    base,
    callStyles,
    wallStyles,
    chartStyles,
    css`
    :host { height: auto; }
    .page { max-width: 1160px; margin: 0 auto; padding: var(--s5) var(--s4) var(--s6); display: grid; gap: var(--s6); grid-template-columns: minmax(0, 1fr); }
    section > h2 { font-size: var(--t-lead); color: var(--text); border-bottom: 1px solid var(--line); padding-bottom: var(--s2); margin-bottom: var(--s4); }
    .grid { display: grid; gap: var(--s4); grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr)); align-items: start; }
    .small-grid { grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
    figure { display: grid; gap: 6px; min-width: 0; }
    figcaption { font-size: var(--t-small); color: var(--soft); }
    .flow { display: flex; flex-wrap: wrap; gap: var(--s3); align-items: center; }
    .swatch { width: 92px; font-size: var(--t-small); display: grid; gap: 4px; }
    .swatch svg { width: 92px; height: 44px; border: 1px solid var(--line); border-radius: 8px; }
    .glyph { display: grid; justify-items: center; gap: 4px; width: 64px; font-size: var(--t-small); color: var(--soft); }
    hl-transcript { height: 280px; }
    .holds-row, .holds-row + .flow { margin: var(--s4) 0; }
    .holds-chart { overflow-x: auto; padding: var(--s3) var(--s4); }
    .holds-card { height: 232px; }
    .holds-row { display: block; position: relative; overflow-x: auto; }
    .holds-row .line { min-width: 900px; }
    .t-small { font-size: var(--t-small); } .t-label { font-size: var(--t-label); } .t-body { font-size: var(--t-body); } .t-lead { font-size: var(--t-lead); } .t-value { font-size: var(--t-value); } .t-cue { font-size: var(--t-cue); font-weight: 620; }
    ${unsafeCSS(COLOURS.map((name) => `.fill-${name} { fill: var(--${name}); }`).join(""))}
    ${unsafeCSS(SPACE.map((name) => `.w-${name} { width: var(--${name}); height: 16px; background: var(--accent); display: inline-block; }`).join(""))}
  `,
  ];

  declare logs: Logs | null;

  constructor() {
    super();
    this.logs = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    const found: Record<string, readonly CallEvent[]> = {};
    for (const [path, url] of Object.entries(files)) {
      const name = path.replace(/^.*\/|\.jsonl$/g, "");
      found[name] = parseJsonLines(await (await fetch(url)).text());
    }
    this.logs = found;
  }

  /** What is known of a scene at a moment. */
  private at(name: string, seconds: number): CallView {
    const events = (this.logs?.[name] ?? []).filter((event) => event.at_ms <= seconds * 1000);
    return { ...reduceAll(events), position_ms: seconds * 1000 };
  }

  protected override render(): TemplateResult {
    if (this.logs === null) return html`<p class="empty">…</p>`;
    return html`<div class="page"><h1>Design</h1>${this.basics()}${this.slots()}${this.floors()}${this.figures()}${this.lists()}${this.transcripts()}${this.wallParts()}${this.desk()}</div>`;
  }

  private basics(): TemplateResult {
    return html`
      <section><h2>Colour</h2><div class="flow">${COLOURS.map(
        (name) =>
          html`<span class="swatch"><svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"><rect class="fill-${name}" width="1" height="1"></rect></svg>${name}</span>`,
      )}</div></section>
      <section><h2>Type and space</h2>${TYPE.map((name) => html`<p class="t-${name}">Let them finish <span class="tiny soft">${name}</span></p>`)}
        <p class="flow">${SPACE.map((name) => html`<span class="tiny soft"><i class="w-${name}"></i> ${name}</span>`)}</p></section>
      <section><h2>Icons</h2><div class="flow">${iconNames.map((name) => html`<span class="glyph">${icon(name, 24)}${name}</span>`)}</div></section>
      <section><h2>Controls</h2><div class="flow">
        <button>Button</button><button class="main">Main</button><button class="bare">Bare</button><button disabled>Disabled</button><button class="bare" aria-pressed="true">Pressed</button>
        <input aria-label="Field" placeholder="Field"><select aria-label="Choice"><option>Choice</option></select><span class="chip">chip</span>
        ${[0, 1, 2, 3, 4].map((severity) => badge(severity))}</div></section>`;
  }

  private slotted(
    caption: string,
    view: CallView,
    extra: { readonly report?: string } = {},
  ): TemplateResult {
    return html`<figure><hl-cue-slot .view=${view} .link=${"live"} .reportUrl=${extra.report ?? null}></hl-cue-slot><figcaption>${caption}</figcaption></figure>`;
  }

  private slots(): TemplateResult {
    return html`<section><h2>Cue slot</h2><div class="grid">
      ${this.slotted("Waiting for a call", initial)}
      ${this.slotted("Idle: whose turn it is", this.at("upset", 8))}
      ${this.slotted("A cue, with its evidence", this.at("upset", 24))}
      ${this.slotted("Another icon, a longer text", this.at("upset", 36))}
      ${this.slotted("A person's words", this.at("upset", 60))}
      ${this.slotted("Priority 0", this.at("trouble", 152))}
      ${this.slotted("On hold", this.at("trouble", 40))}
      ${this.slotted("Capture paused", this.at("trouble", 12))}
      ${this.slotted("Over, with its report", this.at("upset", 73), { report: "#gallery" })}
      ${this.slotted("Hostile text", this.at("hostile", 14))}
    </div></section>`;
  }

  private floors(): TemplateResult {
    const lanes = (caption: string, view: CallView, spanMs = 30_000, bare = false) =>
      html`<figure><div class="card"><hl-lanes ?bare=${bare} .data=${laneData(view)} .nowMs=${view.position_ms} .spanMs=${spanMs} .label=${caption}></hl-lanes></div><figcaption>${caption}</figcaption></figure>`;
    return html`<section><h2>Whose floor</h2><div class="grid">
      ${lanes("Overlap, an interruption and who cut in", this.at("upset", 30))}
      ${lanes("A raised voice is thicker, and named", this.at("upset", 44))}
      ${lanes("Silence is visible", this.at("trouble", 148))}
      ${lanes("One channel: no direction", this.at("one_channel", 13))}
      ${lanes("The whole call", this.at("upset", 72), 0)}
      ${lanes("A card's strip", this.at("upset", 60), 60_000, true)}
    </div></section>`;
  }

  private figures(): TemplateResult {
    const gauges = (caption: string, view: CallView) =>
      html`<figure><hl-gauges .view=${view}></hl-gauges><figcaption>${caption}</figcaption></figure>`;
    const status = (caption: string, view: CallView, link = "live", quietMs = 0, watchers = 0) =>
      html`<figure><hl-status .view=${view} .link=${link} .quietMs=${quietMs} .watchers=${watchers} .levels=${{ agent: -16, customer: -22 }}></hl-status><figcaption>${caption}</figcaption></figure>`;
    return html`<section><h2>Gauges</h2><div class="grid">
      ${gauges("Unknown is grey, never 0", this.at("upset", 6))}${gauges("Within the usual", this.at("upset", 40))}${gauges("Above the usual, said in words", this.at("trouble", 160))}</div></section>
    <section><h2>Honesty</h2><div class="grid small-grid">
      ${status("All well", this.at("upset", 8))}${status("Connection lost", this.at("upset", 8), "offline")}${status("Link no longer valid", initial, "refused")}
      ${status("No audio from the customer", this.at("trouble", 134.5))}${status("Nothing arrives", this.at("upset", 8), "live", 7_000)}${status("Overloaded", this.at("trouble", 157))}
      ${status("Transcript behind", { ...this.at("upset", 12), lines: [] })}${status("One channel", this.at("one_channel", 13))}${status("A second voice", { ...this.at("upset", 8), doubts: [{ code: "several_voices", channel: "customer" }] })}${status("Watched", this.at("upset", 8), "live", 0, 1)}
    </div></section>`;
  }

  private lists(): TemplateResult {
    const check = (caption: string, view: CallView) =>
      html`<figure><hl-checklist .view=${view}></hl-checklist><figcaption>${caption}</figcaption></figure>`;
    const promises = (caption: string, view: CallView) =>
      html`<figure><hl-promises .view=${view}></hl-promises><figcaption>${caption}</figcaption></figure>`;
    return html`<section><h2>Checklist and promises</h2><div class="grid small-grid">
      ${check("Nothing needed yet", this.at("calm", 2))}${check("Some would help now", this.at("upset", 36))}${check("All done, quotes on hover or focus", this.at("upset", 73))}
      ${promises("None", this.at("upset", 10))}${promises("Heard, to be confirmed", this.at("upset", 58))}${promises("Confirmed", this.at("upset", 64))}
    </div></section>`;
  }

  private transcripts(): TemplateResult {
    const words = (caption: string, view: CallView) =>
      html`<figure><hl-transcript class="card" .view=${view}></hl-transcript><figcaption>${caption}</figcaption></figure>`;
    return html`<section><h2>Transcript</h2><div class="grid">
      ${words("No words yet", this.at("calm", 0.5))}${words("Stable and tentative words, acts, redactions", this.at("upset", 33))}
      ${words("Left out under load", this.at("trouble", 160))}${words("Text from callers is text", this.at("hostile", 24))}
    </div></section>`;
  }

  private desk(): TemplateResult {
    const days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const drawn = (caption: string, series: readonly Series[]) =>
      html`<figure><div class="card chart holds-chart">${chart(caption, series, days, (day) => days[day] ?? "")}</div><figcaption>${caption}</figcaption></figure>`;
    const editor = (caption: string, rule: Rule, draft: Readonly<Record<string, number>>) =>
      html`<figure><div class="card holds-chart"><hl-rule-editor .rule=${rule} .draft=${draft}></hl-rule-editor></div><figcaption>${caption}</figcaption></figure>`;
    const trial = (caption: string, calls: number, rules = TRIAL.rules) =>
      html`<figure><div class="card holds-chart">${trialView({ ...TRIAL, calls, rules }, [RULE])}</div><figcaption>${caption}</figcaption></figure>`;
    return html`<section><h2>Trends</h2><div class="grid small-grid">
      ${drawn("Calls, one day hidden", [{ name: "", kind: "bar", values: [4, 6, null, 8, 5, 0, 0] }])}
      ${drawn("Two lines, with days of too little speech", [
        { name: "", kind: "line", values: [2.1, 1.8, null, 1.2, 1.4, null, 0.9] },
        { name: "", kind: "line-dashed", values: [0.4, 0.8, null, 0.6, 0.5, null, 0.7] },
      ])}
      ${drawn("A part of a whole", [
        { name: "", kind: "bar-part", values: [9, 12, 8, 14, 9, 0, 0] },
        { name: "", kind: "bar", values: [5, 9, 6, 13, 8, 0, 0] },
      ])}</div></section>
    <section><h2>Rules</h2><div class="grid">
      ${editor("As packaged", RULE, {})}${editor("A draft: what differs is marked", RULE, { cooldown_ms: 120_000 })}
      ${editor("Changed before: a way back", CHANGED, {})}
      ${trial("Tried on past calls", 12)}${trial("No call to try it on", 0)}${trial("Nothing would come or go", 12, [])}</div></section>`;
  }

  private wallParts(): TemplateResult {
    const views: readonly (readonly [string, CallView, number])[] = [
      ["Quiet", this.at("calm", 18), 0],
      ["Watch: a raised voice", { ...this.at("upset", 34), acts: [] }, 0],
      ["Look: asked for a manager", { ...this.at("upset", 49) }, 0],
      ["Soon: an alert", this.at("upset", 54), 0],
      ["Taken by somebody", { ...this.at("upset", 59), acts: [], raised: [] }, 0],
      ["Now", this.at("trouble", 152), 0],
      ["Agent asks for help, on hold", this.at("trouble", 119), 0],
      ["No update", this.at("calm", 14), 9_000],
      ["Hostile text", this.at("hostile", 14), 0],
    ];
    const alerts = (caption: string, view: CallView) =>
      html`<figure><hl-alerts .alerts=${view.alerts.map((alert) => ({ callId: view.call_id, agent: view.agent, alert, agoMs: view.position_ms - alert.at_ms }))}></hl-alerts><figcaption>${caption}</figcaption></figure>`;
    return html`<section><h2>Wall</h2><div class="grid small-grid">
      ${views.map(([caption, view, staleMs]) => html`<figure><div class="holds-card">${cardView(cardOf(view), { staleMs })}</div><figcaption>${caption}</figcaption></figure>`)}
      </div>
      <div class="holds-row" role="table" aria-label="Rows" tabindex="0"><div role="rowgroup">${views.map(([, view, staleMs]) => rowView(cardOf(view), { staleMs }))}</div></div>
      <p class="flow">${trend([])} ${trend([0, 0, 0])} ${trend([-1, -2, -1, 0, 1, 1])} ${trend([1, 1, 0, -1, -2, -2])}</p>
      <div class="grid small-grid">${alerts("None", initial)}${alerts("Open", this.at("upset", 54))}${alerts("Taken", this.at("upset", 59))}${alerts("Acknowledged and open", this.at("trouble", 152))}</div></section>`;
  }
}

customElements.define("hl-gallery", Gallery);
