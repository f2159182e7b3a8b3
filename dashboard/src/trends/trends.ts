/** `<hl-trends>`: calls over days and weeks; a team's without names, an agent's for that agent. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { base } from "../design/base";
import { Failed, request, type Session } from "../session";
import { strings } from "../strings";
import type { Measure, Scope, Trend, TrendPoint } from "../types/events.gen";
import { words } from "../words/trends";
import { chart, chartStyles } from "./chart";

const DAYS = [7, 30, 90] as const;

export class Trends extends LitElement {
  static override properties = {
    session: { attribute: false },
    scopes: { state: true },
    scope: { state: true },
    days: { state: true },
    trend: { state: true },
    failed: { state: true },
  };
  static override styles = [
    base,
    chartStyles,
    css`
    .page { max-width: 1080px; margin: 0 auto; padding: var(--s3) var(--s4) var(--s6); display: grid; gap: var(--s4); }
    .tools { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2); }
    .choice { display: inline-flex; }
    .choice button { border-radius: 0; margin-left: -1px; }
    .choice button:first-child { border-radius: var(--round-small) 0 0 var(--round-small); }
    .choice button:last-child { border-radius: 0 var(--round-small) var(--round-small) 0; }
    .charts { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: var(--s3); }
    .chart { padding: var(--s3) var(--s4) var(--s3); }
    .chart h2 { color: var(--text); }
    .key { display: flex; gap: var(--s3); min-height: 20px; font-size: var(--t-small); color: var(--soft); }
    .key i { display: inline-block; width: 16px; height: 0; border-top: 2.5px solid var(--agent); vertical-align: 3px; margin-right: 5px; }
    .key .dashed { border-top-style: dashed; border-color: var(--customer); }
    .key .block { height: 9px; border: 0; vertical-align: -1px; background: var(--agent); }
    .key .pale { background: var(--usual); }
    .needs { padding: var(--s4); }
    .two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: var(--s3); align-items: start; }
    .sheet h2 { padding: var(--s3) var(--s3) var(--s1); color: var(--text); }
    .sheet { overflow-x: auto; }
    .meter { width: 110px; height: 8px; }
    .meter rect { fill: var(--agent); } .meter .of { fill: var(--usual); }
    td.n { white-space: nowrap; }
    details.card { padding: var(--s2) var(--s4); }
    details { font-size: var(--t-label); }
    summary { cursor: pointer; color: var(--soft); width: fit-content; padding: 4px 0; }
    @media (max-width: 900px) { .charts, .two { grid-template-columns: minmax(0, 1fr); } }
    @media (max-width: 560px) { .page { padding: var(--s3) var(--s2); } th, td { padding: 9px var(--s2); } .meter { width: 70px; } }
    @media print { .tools button, .tools select, details { display: none; } .card { break-inside: avoid; } }
  `,
  ];

  declare session: Session | null;
  declare scopes: readonly Scope[] | null;
  declare scope: number;
  declare days: number;
  declare trend: Trend | null;
  declare failed: string | null;
  private asked = 0;

  constructor() {
    super();
    this.session = null;
    this.scopes = null;
    this.scope = 0;
    this.days = 30;
    this.trend = null;
    this.failed = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    const turn = ++this.asked;
    this.trend = null;
    this.failed = null;
    try {
      await this.session?.open();
      this.scopes ??= await request<readonly Scope[]>("/v1/trends/scopes");
      const scope = this.scopes[this.scope];
      if (scope === undefined) return;
      const query = new URLSearchParams({
        kind: scope.kind,
        name: scope.name,
        days: `${this.days}`,
      });
      const trend = await request<Trend>(`/v1/trends?${query}`);
      if (turn === this.asked) this.trend = trend;
    } catch (error) {
      if (turn !== this.asked) return;
      this.failed = (error instanceof Failed ? error.reason : null) ?? strings.failed;
    }
  }

  protected override render(): TemplateResult {
    const { scopes, trend } = this;
    return html`<div class="page">
      <div class="tools"><h1>${words.title}</h1>
        ${
          scopes === null || scopes.length < 2
            ? nothing
            : html`<select aria-label=${words.of} @change=${(event: Event) => {
                this.scope = (event.target as HTMLSelectElement).selectedIndex;
                void this.load();
              }}>${scopes.map((scope) => html`<option>${nameOf(scope)}</option>`)}</select>`
        }
        <span class="small soft num" role="status">${this.status()}</span><span class="grow"></span>
        <span class="choice" role="group" aria-label=${words.time}>${DAYS.map(
          (days) =>
            html`<button aria-pressed=${days === this.days} @click=${() => {
              this.days = days;
              void this.load();
            }}>${words.days(days)}</button>`,
        )}</span>
      </div>
      ${this.failed === null ? nothing : html`<p class="card empty" role="alert">${this.failed}</p>`}
      ${scopes?.length === 0 ? html`<p class="card empty">${words.none}</p>` : nothing}
      ${trend === null ? nothing : this.shown(trend)}
    </div>`;
  }

  private status(): string {
    const { trend } = this;
    if (this.failed !== null || this.scopes?.length === 0) return "";
    if (trend === null) return words.working;
    const parts = [words.calls(trend.calls, trend.agents)];
    if (trend.practice > 0) parts.push(words.practice(trend.practice));
    return parts.join(" · ");
  }

  private shown(trend: Trend): TemplateResult {
    const scope = this.scopes?.[this.scope];
    const kind = scope === undefined || isMachine(scope) ? "machine" : scope.kind;
    const privacy = html`<p class="small soft">${words.privacy[kind]}</p>`;
    if (!trend.enough)
      return html`<p class="card needs">${trend.needs}</p>${trend.calls > 0 ? html`<div class="charts">${this.callsChart(trend)}</div>` : nothing}${privacy}`;
    return html`<div class="charts">${this.callsChart(trend)}${this.interruptionsChart(trend)}${this.behaviourChart(trend)}</div>
      ${pointsTable(trend)}
      <div class="two">${behaviourTable(trend)}${measureTable(trend.measures)}</div>${privacy}`;
  }

  private callsChart({ points }: Trend): TemplateResult {
    return html`<section class="card chart"><h2>${words.charts.calls}</h2><p class="key"></p>${chart(
      words.charts.calls,
      [{ name: words.charts.calls, kind: "bar", values: points.map((point) => point.calls) }],
      points.map(dayOf),
      (index) => `${dayOf(points[index])}: ${points[index]?.calls ?? words.hidden}`,
    )}</section>`;
  }

  private interruptionsChart({ points }: Trend): TemplateResult {
    const agent = points.map((point) => point.agent_per_10min);
    const customer = points.map((point) => point.customer_per_10min);
    return html`<section class="card chart"><h2>${words.charts.interruptions}</h2>
      <p class="key"><span><i></i>${words.agent}</span><span><i class="dashed"></i>${words.customer}</span></p>${chart(
        words.charts.interruptions,
        [
          { name: words.agent, kind: "line", values: agent },
          { name: words.customer, kind: "line-dashed", values: customer },
        ],
        points.map(dayOf),
        (index) =>
          `${dayOf(points[index])}: ${words.agent} ${rate(agent[index])}, ${words.customer} ${rate(customer[index])}`,
      )}</section>`;
  }

  private behaviourChart({ points }: Trend): TemplateResult {
    return html`<section class="card chart"><h2>${words.charts.behaviours}</h2>
      <p class="key"><span><i class="block"></i>${words.given}</span><span><i class="block pale"></i>${words.needed}</span></p>${chart(
        words.charts.behaviours,
        [
          { name: words.needed, kind: "bar-part", values: points.map((point) => point.needed) },
          { name: words.given, kind: "bar", values: points.map((point) => point.delivered) },
        ],
        points.map(dayOf),
        (index) => `${dayOf(points[index])}: ${givenOf(points[index])}`,
      )}</section>`;
  }
}

function isMachine(scope: Scope): boolean {
  return scope.kind === "own" && scope.name === "This machine";
}

function nameOf(scope: Scope): string {
  if (scope.kind === "own") return isMachine(scope) ? words.machine : words.own;
  return scope.kind === "team" ? words.team(scope.name) : scope.name;
}

const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function dayOf(point: TrendPoint | undefined): string {
  return point === undefined ? "" : short.format(new Date(`${point.day}T12:00:00`));
}

function rate(value: number | null | undefined): string {
  return value === null || value === undefined
    ? strings.unknown
    : value.toLocaleString(undefined, { maximumFractionDigits: 1 });
}

function givenOf(point: TrendPoint | undefined): string {
  if (point === undefined || point.delivered === null || point.needed === null)
    return strings.unknown;
  return words.givenOf(point.delivered, point.needed);
}

function pointsTable({ points, days_per_point }: Trend): TemplateResult {
  return html`<details class="card"><summary>${words.asTable}</summary><table>
    <thead><tr><th scope="col">${days_per_point === 1 ? words.day : words.week}</th><th scope="col">${words.charts.calls}</th>
      <th scope="col">${words.agent}: ${words.charts.interruptions.toLocaleLowerCase()}</th><th scope="col">${words.customer}</th><th scope="col">${words.given}</th></tr></thead>
    <tbody>${points.map(
      (
        point,
      ) => html`<tr><th scope="row">${dayOf(point)}</th><td>${point.calls ?? words.hidden}</td>
        <td class="num">${rate(point.agent_per_10min)}</td><td class="num">${rate(point.customer_per_10min)}</td><td>${givenOf(point)}</td></tr>`,
    )}</tbody></table></details>`;
}

function behaviourTable({ behaviours }: Trend): TemplateResult {
  return html`<section class="card sheet" tabindex="0" role="region" aria-label=${words.behaviours}><h2>${words.behaviours}</h2><table><tbody>${behaviours.map(
    ({
      behaviour,
      delivered,
      needed,
    }) => html`<tr><th scope="row">${words.names[behaviour] ?? behaviour}</th>
      <td><svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="of" width="100" height="8" rx="2"></rect><rect width=${(100 * delivered) / needed} height="8" rx="2"></rect></svg></td>
      <td class="n num">${words.givenOf(delivered, needed)}</td></tr>`,
  )}</tbody></table></section>`;
}

function measureTable(measures: readonly Measure[]): TemplateResult {
  const shown = measures.filter((measure) => measure.value !== null);
  return html`<section class="card sheet" tabindex="0" role="region" aria-label=${words.measures}><h2>${words.measures}</h2><table>
    <thead><tr>${words.columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${shown.map(
      (
        measure,
      ) => html`<tr><th scope="row">${words.names[measure.name] ?? measure.name}</th><td class="n num">${figure(measure.value, measure.unit)}</td>
        <td class="n num soft">${measure.low === null ? strings.unknown : html`${figure(measure.low, measure.unit)} – ${figure(measure.high, measure.unit)}`}</td><td class="num soft">${measure.n}</td></tr>`,
    )}</tbody></table></section>`;
}

function figure(value: number | null, unit: string): string {
  if (value === null) return strings.unknown;
  if (unit === "share") return `${Math.round(value * 100)} %`;
  if (unit === "ms")
    return `${(value / 1000).toLocaleString(undefined, { maximumFractionDigits: 1 })} s`;
  if (unit === "words/min") return `${Math.round(value)} wpm`;
  return value.toLocaleString(undefined, { maximumFractionDigits: 1 });
}

customElements.define("hl-trends", Trends);
