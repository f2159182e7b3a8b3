/** Every cue rule: what it says, why and when; its numbers changed, tried on past calls, saved. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { base } from "../design/base";
import { cueIcon, icon } from "../design/icons";
import { Failed, type Me, request, type Session } from "../session";
import { strings } from "../strings";
import type { Trial } from "../types/events.gen";
import { words } from "../words/rules";
import "./rule-editor";
import { trialView } from "./trial-view";

export type Value = boolean | number | string | null;
export type Changes = Readonly<Record<string, Readonly<Record<string, Value>>>>;

export interface Rule {
  readonly id: string;
  readonly text: string;
  readonly when: string;
  readonly clear_when: string;
  readonly cooldown_ms: number;
  readonly ttl_ms: number;
  readonly hold_ms: number;
  readonly max_per_call: number;
  readonly priority: number;
  readonly latency_class: string;
  readonly confidence_floor: number;
  readonly icon: string | null;
  readonly better_wording: readonly string[];
  readonly why: string;
  readonly enabled: boolean;
  /** The site's own file that holds it; null for one that can be changed here. */
  readonly file: string | null;
  /** The packaged value of each key that is another now. */
  readonly packaged: Readonly<Record<string, Value>>;
}

const COUNTS = [10, 20, 50] as const;
type Shown = "all" | "on" | "off" | "changed";

export class Rules extends LitElement {
  static override properties = {
    session: { attribute: false },
    me: { attribute: false },
    rules: { state: true },
    failed: { state: true },
    text: { state: true },
    show: { state: true },
    open: { state: true },
    changes: { state: true },
    count: { state: true },
    busy: { state: true },
    trial: { state: true },
    said: { state: true },
  };
  static override styles = [
    base,
    css`
    :host { min-height: 100%; display: flex; flex-direction: column; }
    .page { flex: 1; width: 100%; max-width: 1080px; margin: 0 auto; padding: var(--s3) var(--s4) var(--s6); display: grid; gap: var(--s3); align-content: start; }
    .tools { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2) var(--s3); }
    .find { position: relative; }
    .find input { padding-left: 32px; width: 100%; }
    .find .icon { position: absolute; left: 9px; top: 7px; color: var(--soft); }
    .list { display: grid; gap: var(--s3); }
    .list > li { padding: var(--s4); display: grid; grid-template-columns: 44px minmax(0, 1fr) 210px; gap: var(--s2) var(--s4); }
    .tile { width: 44px; height: 44px; border-radius: 12px; display: grid; place-items: center; background: var(--sunken); color: var(--accent); }
    .off .tile { color: var(--soft); }
    h2 { font-size: var(--t-lead); color: var(--text); display: flex; gap: var(--s2); align-items: center; flex-wrap: wrap; letter-spacing: -0.01em; }
    .chip.changed { color: var(--accent); border-color: var(--accent); }
    details { margin-top: var(--s2); }
    summary { cursor: pointer; font-size: var(--t-label); color: var(--soft); width: fit-content; }
    code { display: block; white-space: pre-wrap; overflow-wrap: anywhere; font: 12px / 1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; padding: var(--s2) var(--s3); background: var(--sunken); border-radius: var(--round-small); margin: 4px 0 var(--s2); }
    dl { display: grid; grid-template-columns: 1fr auto; gap: 3px var(--s2); font-size: var(--t-label); align-content: start; }
    dt { color: var(--soft); }
    dd { font-variant-numeric: tabular-nums; text-align: right; }
    .more { margin-top: var(--s2); }
    hl-rule-editor { grid-column: 2 / -1; }
    .dock { position: sticky; bottom: 0; background: var(--card); border-top: 1px solid var(--line-strong); box-shadow: 0 -6px 20px rgb(0 0 0 / 0.07); max-height: 70vh; overflow-y: auto; }
    .dock > div { max-width: 1080px; margin: 0 auto; padding: var(--s3) var(--s4); display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--s3); }
    .row { flex-wrap: wrap; }
    .trial { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--s2); }
    .trial ul { display: grid; gap: 2px; }
    .trial h3 { font-size: var(--t-label); font-weight: 600; margin-top: var(--s1); }
    .trial td, .trial th { padding: 5px var(--s3) 5px 0; white-space: normal; }
    .more-now { color: var(--accent); font-weight: 600; }
    @media (max-width: 720px) { .page, .dock > div { padding: var(--s3) var(--s2); } .list > li { grid-template-columns: 44px minmax(0, 1fr); padding: var(--s3); } dl, hl-rule-editor { grid-column: 1 / -1; } }
    @media (max-width: 560px) { .find { flex: 1 1 100%; } }
    @media print { .dock, .find, .tools select, .more { display: none; } .list > li { break-inside: avoid; } }
  `,
  ];

  declare session: Session | null;
  declare me: Me | null;
  declare rules: readonly Rule[] | null;
  declare failed: boolean;
  declare text: string;
  declare show: Shown;
  /** The rule whose numbers are being changed. */
  declare open: string | null;
  declare changes: Changes;
  declare count: number;
  declare busy: "trying" | "saving" | null;
  /** What the changes as they stand would have done; null until they were tried. */
  declare trial: Trial | null;
  declare said: { readonly text: string; readonly wrong: boolean } | null;

  constructor() {
    super();
    this.session = null;
    this.me = null;
    this.rules = null;
    this.failed = false;
    this.text = "";
    this.show = "all";
    this.open = null;
    this.changes = {};
    this.count = 20;
    this.busy = null;
    this.trial = null;
    this.said = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      await this.session?.open();
      this.rules = await request<readonly Rule[]>("/v1/rules");
    } catch {
      this.failed = true;
    }
  }

  private may(action: string): boolean {
    return this.me?.actions.includes(action) ?? false;
  }

  private readonly onChange = (
    event: CustomEvent<{ rule: Rule; key: string; value: Value }>,
  ): void => {
    const { rule, key, value } = event.detail;
    const { [key]: _, ...others } = this.changes[rule.id] ?? {};
    const now = value === rule[key as keyof Rule] ? others : { ...others, [key]: value };
    const { [rule.id]: __, ...rest } = this.changes;
    this.changes = Object.keys(now).length === 0 ? rest : { ...rest, [rule.id]: now };
    this.trial = null;
    this.said = null;
  };

  private readonly tryThem = async (): Promise<void> => {
    await this.work("trying", async () => {
      const body = { changes: this.changes, calls: this.count };
      this.trial = await request<Trial>("/v1/rules/trial", body);
    });
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".trial")?.focus();
  };

  private readonly saveThem = async (): Promise<void> => {
    await this.work("saving", async () => {
      await request("/v1/rules", { changes: this.changes });
      this.changes = {};
      this.trial = null;
      this.open = null;
      this.said = { text: words.saved, wrong: false };
      await this.load();
    });
  };

  private async work(busy: "trying" | "saving", what: () => Promise<void>): Promise<void> {
    this.busy = busy;
    this.said = null;
    try {
      await what();
    } catch (error) {
      const reason = error instanceof Failed ? error.reason : null;
      this.said = { text: reason ?? words.failed, wrong: true };
    }
    this.busy = null;
  }

  private readonly discard = (): void => {
    this.changes = {};
    this.trial = null;
    this.open = null;
  };

  protected override render(): TemplateResult {
    const all = this.rules ?? [];
    const wanted = this.text.trim().toLocaleLowerCase();
    const found = all
      .filter((rule) => `${rule.id} ${rule.text} ${rule.why}`.toLocaleLowerCase().includes(wanted))
      .filter((rule) => isShown(rule, this.show))
      .sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1));
    return html`<div class="page">
      <div class="tools"><h1>${words.title}</h1><span class="small soft">${words.hint}</span><span class="grow"></span>
        <span class="small soft num" role="status">${this.rules === null ? "" : words.count(found.length, all.length)}</span>
        <select aria-label=${words.show.label} @change=${(event: Event) => {
          this.show = (event.target as HTMLSelectElement).value as Shown;
        }}>${(["all", "on", "off", "changed"] as const).map((show) => html`<option value=${show}>${words.show[show]}</option>`)}</select>
        <span class="find">${icon("search")}<input type="search" aria-label=${words.search} placeholder=${words.search} @input=${(
          event: InputEvent,
        ) => {
          this.text = (event.target as HTMLInputElement).value;
        }}></span></div>
      ${this.failed ? html`<p class="card empty" role="alert">${strings.failed}</p>` : nothing}
      ${this.rules === null && !this.failed ? html`<p class="empty">${strings.loading}</p>` : nothing}
      <ul class="list">${found.map((rule) => this.rule(rule))}</ul>
    </div>${this.dock()}`;
  }

  private rule(rule: Rule): TemplateResult {
    const seconds = (ms: number) => `${Math.round(ms / 100) / 10} ${words.seconds}`;
    const open = this.open === rule.id;
    const changed = Object.keys(rule.packaged).length > 0;
    return html`<li class="card ${rule.enabled ? "" : "off"}" data-rule=${rule.id}>
    <span class="tile">${icon(cueIcon(rule.icon, rule.id), 24)}</span>
    <div><h2>${rule.text} <span class="chip">${rule.id}</span>${rule.enabled ? nothing : html`<span class="chip">${words.off}</span>`}${changed ? html`<span class="chip changed">${words.changed}</span>` : nothing}</h2>
      <p class="soft">${rule.why}</p>
      ${rule.better_wording.length === 0 ? nothing : html`<p class="small">${words.better}: ${rule.better_wording.map((said) => html`“${said}” `)}</p>`}
      ${
        open
          ? nothing
          : html`<details><summary>${words.when}</summary><code>${rule.when.trim()}</code><p class="small soft">${words.clears}</p><code>${rule.clear_when.trim()}</code></details>`
      }
      ${
        this.may("try_rules")
          ? html`<p class="more">${
              rule.file === null
                ? html`<button aria-expanded=${open} aria-label="${open ? words.close : words.change}: ${rule.text}" @click=${() => {
                    this.open = open ? null : rule.id;
                  }}>${open ? words.close : words.change}</button>`
                : html`<span class="chip">${words.file(rule.file)}</span>`
            }</p>`
          : nothing
      }
    </div>
    <dl><dt>${words.priority}</dt><dd>${rule.priority}</dd><dt>${words.latency}</dt><dd>${words.latencyClass[rule.latency_class] ?? rule.latency_class}</dd>
      <dt>${words.confidence}</dt><dd>${rule.confidence_floor}</dd><dt>${words.cooldown}</dt><dd>${seconds(rule.cooldown_ms)}</dd>
      <dt>${words.ttl}</dt><dd>${seconds(rule.ttl_ms)}</dd><dt>${words.perCall}</dt><dd>${rule.max_per_call}×</dd></dl>
    ${open ? html`<hl-rule-editor .rule=${rule} .draft=${this.changes[rule.id] ?? {}} @draft=${this.onChange}></hl-rule-editor>` : nothing}
  </li>`;
  }

  /** What is changed and not saved, stays in sight: try it, read what it does, save it. */
  private dock(): TemplateResult | typeof nothing {
    const count = Object.keys(this.changes).length;
    if (count === 0 && this.said === null) return nothing;
    const may = this.may("edit_rules");
    const said =
      this.said === null
        ? nothing
        : html`<p class="small" role=${this.said.wrong ? "alert" : "status"}>${this.said.text}</p>`;
    if (count === 0)
      return html`<div class="dock" role="region" aria-label=${words.title}><div>${said}</div></div>`;
    const idle = this.busy === null;
    return html`<div class="dock" role="region" aria-label=${words.draft(count)}><div>
      <div class="row"><b>${words.draft(count)}</b><span class="grow"></span>
        <select aria-label=${words.tryCount} @change=${(event: Event) => {
          this.count = Number((event.target as HTMLSelectElement).value);
          this.trial = null;
        }}>${COUNTS.map((calls) => html`<option value=${calls} ?selected=${calls === this.count}>${words.newest(calls)}</option>`)}</select>
        <button class=${this.trial === null ? "main" : ""} ?disabled=${!idle} @click=${this.tryThem}>${words.try}</button>
        ${may ? html`<button class=${this.trial === null ? "" : "main"} ?disabled=${!idle || this.trial === null} title=${this.trial === null ? words.tryFirst : ""} @click=${this.saveThem}>${this.busy === "saving" ? words.saving : words.save}</button>` : nothing}
        <button class="bare" ?disabled=${!idle} @click=${this.discard}>${words.discard}</button></div>
      ${may ? nothing : html`<p class="small soft">${words.cannotSave}</p>`}
      ${this.busy === "trying" ? html`<p class="small soft" role="status">${words.trying(this.count)}</p>` : nothing}
      ${said}${this.trial === null ? nothing : trialView(this.trial, this.rules ?? [])}
    </div></div>`;
  }
}

function isShown(rule: Rule, show: Shown): boolean {
  if (show === "changed") return Object.keys(rule.packaged).length > 0;
  return show === "all" || rule.enabled === (show === "on");
}

customElements.define("hl-rules", Rules);
