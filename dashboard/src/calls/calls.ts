/** The list of calls: find one, watch it, read its report, or play it again. */
import { css, html, LitElement, type TemplateResult } from "lit";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { type CallSummary, request, type Session } from "../session";
import { clock, strings } from "../strings";

/** Rows shown; a search finds the others. */
const ROWS = 200;
const EVERY_MS = 5_000;
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export class Calls extends LitElement {
  static override properties = {
    session: { attribute: false },
    calls: { state: true },
    failed: { state: true },
    text: { state: true },
    state: { state: true },
    reason: { state: true },
  };
  static override styles = [
    base,
    css`
    .page { max-width: 1080px; margin: 0 auto; padding: var(--s3) var(--s4) var(--s5); display: grid; gap: var(--s3); }
    .tools { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2); }
    .find { position: relative; flex: 0 1 280px; }
    .find input { width: 100%; padding-left: 32px; }
    .find .icon { position: absolute; left: 9px; top: 7px; color: var(--soft); }
    .card { overflow-x: auto; }
    td a + a { margin-left: var(--s3); }
    td:nth-child(3) { font-variant-numeric: tabular-nums; }
    .live { color: var(--ok); font-weight: 600; }
    .live::before { content: ""; display: inline-block; width: 7px; height: 7px; border-radius: 50%; background: var(--ok); margin-right: 6px; }
    @media (max-width: 560px) {
      .page { padding: var(--s3) var(--s2); }
      .find { flex: 1 1 100%; }
      .tools select { flex: 1 1 40%; }
      table, tbody, tr, td { display: block; padding: 0; border: 0; }
      thead { position: absolute; clip-path: inset(50%); }
      tr { display: grid; grid-template: "who long" auto "when when" auto "what what" auto "open open" auto / 1fr auto; gap: var(--s1); padding: var(--s3); border-bottom: 1px solid var(--line); }
      tr:last-child { border-bottom: 0; }
      td:nth-child(1) { grid-area: when; color: var(--soft); }
      td:nth-child(2) { grid-area: who; font-weight: 600; }
      td:nth-child(3) { grid-area: long; }
      td:nth-child(4) { grid-area: what; display: flex; flex-wrap: wrap; gap: 4px; }
      td:nth-child(5) { grid-area: open; padding: 4px 0; }
    }
  `,
  ];

  declare session: Session | null;
  declare calls: readonly CallSummary[] | null;
  declare failed: boolean;
  declare text: string;
  declare state: "all" | "live" | "over";
  declare reason: string;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    this.session = null;
    this.calls = null;
    this.failed = false;
    this.text = "";
    this.state = "all";
    this.reason = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
    this.timer = setInterval(() => void this.load(), EVERY_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  private async load(): Promise<void> {
    if (this.session === null) return;
    try {
      await this.session.open();
      this.calls = await request<readonly CallSummary[]>("/v1/calls");
      this.failed = false;
    } catch {
      this.failed = true;
    }
  }

  protected override render(): TemplateResult {
    const { calls: text } = strings;
    const wanted = this.text.trim().toLocaleLowerCase();
    const all = this.calls ?? [];
    const found = all.filter(
      (call) =>
        (this.state === "all" || call.live === (this.state === "live")) &&
        (this.reason === "" || this.reason in call.reasons) &&
        `${call.agent ?? ""} ${call.call_id} ${day.format(new Date(call.started_at))}`
          .toLocaleLowerCase()
          .includes(wanted),
    );
    return html`<div class="page">
      <div class="tools"><h1>${text.title}</h1><span class="small soft num" role="status">${text.count(found.length, all.length)}</span><span class="grow"></span>
        <span class="find">${icon("search")}<input type="search" aria-label=${text.search} placeholder=${text.search} .value=${this.text} @input=${(
          event: InputEvent,
        ) => {
          this.text = (event.target as HTMLInputElement).value;
        }}></span>
        <select aria-label=${text.reason.label} @change=${(event: Event) => {
          this.reason = (event.target as HTMLSelectElement).value;
        }}><option value="">${text.reason.all}</option>${[...new Set(all.flatMap((call) => Object.keys(call.reasons)))].sort().map((reason) => html`<option value=${reason}>${nameOf(reason)}</option>`)}</select>
        <select aria-label=${text.state.label} @change=${(event: Event) => {
          this.state = (event.target as HTMLSelectElement).value as Calls["state"];
        }}>${(["all", "live", "over"] as const).map((state) => html`<option value=${state}>${text.state[state]}</option>`)}</select>
      </div>
      ${this.failed ? html`<p class="card empty" role="alert">${strings.failed}</p>` : this.table(found, all.length)}
    </div>`;
  }

  private table(found: readonly CallSummary[], all: number): TemplateResult {
    const { calls: text } = strings;
    if (this.calls === null) return html`<p class="empty">${strings.loading}</p>`;
    if (found.length === 0)
      return html`<p class="card empty">${all === 0 ? text.none : text.noMatch}</p>`;
    return html`<div class="card" tabindex="0" role="region" aria-label=${text.title}><table>
      <thead><tr>${text.columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${found.slice(0, ROWS).map(callRow)}</tbody></table></div>`;
  }
}

function callRow(call: CallSummary): TemplateResult {
  const { calls: text } = strings;
  const id = encodeURIComponent(call.call_id);
  const name = call.agent ?? call.call_id;
  return html`<tr data-call=${call.call_id}>
    <td><time datetime=${call.started_at}>${day.format(new Date(call.started_at))}</time></td>
    <td>${call.agent ?? html`<span class="soft">${strings.wall.unnamed}</span>`}</td>
    <td>${call.live ? html`<span class="soft">${strings.unknown}</span>` : clock(call.duration_ms)}</td>
    <td>${call.live ? html`<span class="live">${text.live}</span>` : happened(call)}</td>
    <td>${
      call.live
        ? html`<a href="#call/${id}" aria-label="${text.watch}: ${name}">${text.watch}</a>`
        : html`<a href="/v1/calls/${id}/report.html" aria-label="${text.report}: ${name}">${text.report}</a><a href="#replay/${id}" aria-label="${text.replay}: ${name}">${text.replay}</a>`
    }</td></tr>`;
}

function nameOf(reason: string): string {
  return strings.calls.happened[reason] ?? reason.replaceAll("_", " ");
}

/** Kinds shown in a row; the filter finds the others. */
const KINDS = 4;

/** The most frequent cues and kinds of overlap, with how often. */
function happened(call: CallSummary): readonly TemplateResult[] {
  return Object.entries(call.reasons)
    .sort(([, a], [, b]) => b - a)
    .slice(0, KINDS)
    .map(
      ([reason, count]) =>
        html`<span class="chip">${nameOf(reason)}${count > 1 ? html` <b class="num">${count}</b>` : ""}</span> `,
    );
}

customElements.define("hl-calls", Calls);
