/** `<hl-data>`: what is stored about me, taking it away, and asking for its erasure. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { Failed, type Me, request, type Session } from "../session";
import { strings } from "../strings";
import type { ErasureRequest, OwnData } from "../types/events.gen";
import { words } from "../words/data";

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export class Data extends LitElement {
  static override properties = {
    session: { attribute: false },
    me: { attribute: false },
    data: { state: true },
    requests: { state: true },
    /** What waits for a second click: asking, or a request that is to be carried out. */
    sure: { state: true },
    failed: { state: true },
  };
  static override styles = [
    base,
    css`
    .page { max-width: 760px; margin: 0 auto; padding: var(--s3) var(--s4) var(--s6); display: grid; gap: var(--s4); }
    section { padding: var(--s4) var(--s5); }
    section h2 { color: var(--text); font-size: var(--t-body); margin-bottom: var(--s2); }
    dl { display: grid; grid-template-columns: 200px minmax(0, 1fr); gap: var(--s2) var(--s4); }
    dt { color: var(--soft); }
    dt, dd, p, li { font-size: var(--t-body); }
    dd { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
    .never li { padding-left: 22px; position: relative; margin-top: 6px; }
    .never .icon { position: absolute; left: 0; top: 4px; color: var(--ok); }
    .do { margin-top: var(--s3); display: flex; flex-wrap: wrap; gap: var(--s2); align-items: center; }
    .danger { color: var(--mark); border-color: var(--mark); }
    .requests li { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s1) var(--s3); padding: var(--s2) 0; border-top: 1px solid var(--line); }
    .requests li:first-child { border-top: 0; }
    .ask { background: var(--mark-ground); border-radius: var(--round-small); padding: var(--s2) var(--s3); flex-basis: 100%; }
    @media (max-width: 560px) { .page { padding: var(--s3) var(--s2); } section { padding: var(--s3); } dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: var(--s2); } }
    @media print { .do { display: none; } }
  `,
  ];

  declare session: Session | null;
  declare me: Me | null;
  declare data: OwnData | null;
  declare requests: readonly ErasureRequest[];
  declare sure: string | null;
  declare failed: string | null;

  constructor() {
    super();
    this.session = null;
    this.me = null;
    this.data = null;
    this.requests = [];
    this.sure = null;
    this.failed = null;
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("me") && this.me !== null) void this.load();
  }

  private async load(): Promise<void> {
    try {
      await this.session?.open();
      this.data = await request<OwnData>("/v1/me/data");
      if (this.me?.actions.includes("decide_erasure"))
        this.requests = await request<readonly ErasureRequest[]>("/v1/erasure-requests");
    } catch {
      this.failed = strings.failed;
    }
  }

  private async change(path: string, body: unknown): Promise<void> {
    this.sure = null;
    this.failed = null;
    try {
      await request(path, body);
    } catch (error) {
      this.failed = (error instanceof Failed ? error.reason : null) ?? words.failed;
    }
    await this.load();
  }

  protected override render(): TemplateResult {
    const { data } = this;
    return html`<div class="page">
      <div><h1>${words.title}</h1><p class="soft">${words.hint}</p></div>
      ${this.failed === null ? nothing : html`<p class="card empty" role="alert">${this.failed}</p>`}
      ${
        data === null
          ? this.failed === null
            ? html`<p class="empty">${strings.loading}</p>`
            : nothing
          : html`${stored(data)}${never()}${take()}${this.erase(data)}${this.deciding()}`
      }
    </div>`;
  }

  private erase(data: OwnData): TemplateResult {
    const waits = data.requests.some((one) => one.state === "open");
    const may = !waits && data.calls > 0;
    const text = data.role === "local" ? words.eraseLocal : words.eraseText;
    return html`<section class="card"><h2>${words.erase}</h2><p>${text}</p>
      <div class="do">${
        this.sure === "ask"
          ? html`<p class="ask">${words.askSure(data.calls)}</p>
            <button class="danger" @click=${() => this.change("/v1/me/erasure", {})}>${words.yes}</button>
            <button @click=${() => this.ask(null)}>${words.cancel}</button>`
          : html`<button ?disabled=${!may} @click=${() => this.ask("ask")}>${words.ask}</button>`
      }</div>
      ${
        data.requests.length === 0
          ? nothing
          : html`<h2 class="do">${words.mine}</h2><ul class="requests">${data.requests.map((one) => html`<li>${asked(one)}</li>`)}</ul>`
      }</section>`;
  }

  private deciding(): TemplateResult | typeof nothing {
    if (!this.me?.actions.includes("decide_erasure")) return nothing;
    const open = this.requests.filter((one) => one.state === "open");
    const past = this.requests.filter((one) => one.state !== "open");
    return html`<section class="card"><h2>${words.decide}</h2>
      ${open.length === 0 ? html`<p class="soft">${words.noRequests}</p>` : nothing}
      <ul class="requests">${open.map(
        (one) =>
          html`<li data-request=${one.id}><b>${one.name}</b>${asked(one)}<span class="grow"></span>${
            this.sure === one.id
              ? html`<p class="ask">${words.sure(one.name)}</p>
              <button class="danger" @click=${() => this.change(`/v1/erasure-requests/${one.id}`, { verdict: "erase" })}>${words.sureYes}</button>
              <button @click=${() => this.ask(null)}>${words.cancel}</button>`
              : html`<button @click=${() => this.ask(one.id)}>${words.doErase}</button>
              <button class="bare" @click=${() => this.change(`/v1/erasure-requests/${one.id}`, { verdict: "decline" })}>${words.decline}</button>`
          }</li>`,
      )}${past.map((one) => html`<li><b>${one.name}</b>${asked(one)}</li>`)}</ul></section>`;
  }

  private ask(what: string | null): void {
    this.sure = what;
  }
}

function asked(one: ErasureRequest): TemplateResult {
  const done = one.certificate === null ? nothing : html` · ${words.certificate(one.certificate)}`;
  return html`<span class="soft small"><time datetime=${one.asked_at}>${day.format(new Date(one.asked_at))}</time> · ${words.state[one.state] ?? one.state}${done}</span>`;
}

function stored(data: OwnData): TemplateResult {
  const role = data.role.replaceAll("_", " ");
  const hours = (data.calls_ms / 3_600_000).toLocaleString(undefined, {
    style: "unit",
    unit: "hour",
    unitDisplay: "long",
    maximumFractionDigits: 1,
  });
  const first = data.first === null ? "" : day.format(new Date(data.first));
  const last = data.last === null ? "" : day.format(new Date(data.last));
  return html`<section class="card"><h2>${words.stored}</h2><dl>
    <dt>${words.account}</dt><dd>${
      data.role === "local"
        ? words.local
        : html`${words.accountText(data.name, role, data.teams.join(", "))}. ${data.agent === null ? nothing : words.carries(data.agent)}`
    }</dd>
    <dt>${words.calls}</dt><dd>${data.calls === 0 ? words.noCalls : words.callsText(data.calls, hours, first, last)}${data.held > 0 ? html` ${words.held(data.held)}` : nothing}</dd>
    <dt>${words.events}</dt><dd>${words.eventsText(data.events.toLocaleString())}</dd>
    <dt>${words.disputes}</dt><dd>${data.disputes.toLocaleString()}</dd>
    <dt>${words.audit}</dt><dd>${words.auditText(data.audit_entries.toLocaleString())}</dd>
    ${data.role === "local" ? nothing : html`<dt>${words.sessions}</dt><dd>${data.sessions}</dd>`}
    <dt>${words.kept}</dt><dd>${words.keptText(data.retention.events_days, data.retention.calls_days)}</dd>
  </dl></section>`;
}

function never(): TemplateResult {
  return html`<section class="card never"><h2>${words.never}</h2><ul>${words.neverList.map((text) => html`<li>${icon("check", 15)}${text}</li>`)}</ul></section>`;
}

function take(): TemplateResult {
  return html`<section class="card"><h2>${words.take}</h2><p>${words.takeText}</p>
    <div class="do"><a class="button" href="/v1/me/data.zip" download>${icon("download")} ${words.download}</a></div></section>`;
}

customElements.define("hl-data", Data);
