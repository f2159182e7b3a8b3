/** Every cue rule, read only: what it says, why, when, and how often at most. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { base } from "../design/base";
import { cueIcon, icon } from "../design/icons";
import { request, type Session } from "../session";
import { strings } from "../strings";

interface Rule {
  readonly id: string;
  readonly text: string;
  readonly when: string;
  readonly clear_when: string;
  readonly cooldown_ms: number;
  readonly ttl_ms: number;
  readonly max_per_call: number;
  readonly priority: number;
  readonly latency_class: string;
  readonly confidence_floor: number;
  readonly icon: string | null;
  readonly better_wording: readonly string[];
  readonly why: string;
  readonly enabled: boolean;
}

export class Rules extends LitElement {
  static override properties = {
    session: { attribute: false },
    rules: { state: true },
    failed: { state: true },
    text: { state: true },
  };
  static override styles = [
    base,
    css`
    .page { max-width: 1080px; margin: 0 auto; padding: var(--s3) var(--s4) var(--s6); display: grid; gap: var(--s3); }
    .tools { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2) var(--s3); }
    .find { position: relative; }
    .find input { padding-left: 32px; width: 100%; }
    .find .icon { position: absolute; left: 9px; top: 7px; color: var(--soft); }
    ul { display: grid; gap: var(--s3); }
    li { padding: var(--s4); display: grid; grid-template-columns: 44px minmax(0, 1fr) 220px; gap: var(--s2) var(--s4); }
    .tile { width: 44px; height: 44px; border-radius: 12px; display: grid; place-items: center; background: var(--sunken); color: var(--accent); }
    h2 { font-size: var(--t-lead); color: var(--text); display: flex; gap: var(--s2); align-items: center; flex-wrap: wrap; letter-spacing: -0.01em; }
    .off { color: var(--soft); }
    details { margin-top: var(--s2); }
    summary { cursor: pointer; font-size: var(--t-label); color: var(--soft); width: fit-content; }
    code { display: block; white-space: pre-wrap; overflow-wrap: anywhere; font: 12px / 1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; padding: var(--s2) var(--s3); background: var(--sunken); border-radius: var(--round-small); margin: 4px 0 var(--s2); }
    dl { display: grid; grid-template-columns: 1fr auto; gap: 3px var(--s2); font-size: var(--t-label); align-content: start; }
    dt { color: var(--soft); }
    dd { font-variant-numeric: tabular-nums; text-align: right; }
    @media (max-width: 720px) { .page { padding: var(--s3) var(--s2); } li { grid-template-columns: 44px minmax(0, 1fr); padding: var(--s3); } dl { grid-column: 1 / -1; } }
  `,
  ];

  declare session: Session | null;
  declare rules: readonly Rule[] | null;
  declare failed: boolean;
  declare text: string;

  constructor() {
    super();
    this.session = null;
    this.rules = null;
    this.failed = false;
    this.text = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    if (this.session === null) return;
    try {
      await this.session.open();
      this.rules = await request<readonly Rule[]>("/v1/rules");
    } catch {
      this.failed = true;
    }
  }

  protected override render(): TemplateResult {
    const { rules: text } = strings;
    const wanted = this.text.trim().toLocaleLowerCase();
    const found = (this.rules ?? [])
      .filter((rule) => `${rule.id} ${rule.text} ${rule.why}`.toLocaleLowerCase().includes(wanted))
      .sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1));
    return html`<div class="page">
      <div class="tools"><h1>${text.title}</h1><span class="small soft">${text.hint}</span><span class="grow"></span>
        <span class="find">${icon("search")}<input type="search" aria-label=${text.search} placeholder=${text.search} @input=${(
          event: InputEvent,
        ) => {
          this.text = (event.target as HTMLInputElement).value;
        }}></span></div>
      ${this.failed ? html`<p class="card empty" role="alert">${strings.failed}</p>` : nothing}
      <ul>${found.map(ruleView)}</ul>
    </div>`;
  }
}

function ruleView(rule: Rule): TemplateResult {
  const { rules: text } = strings;
  const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;
  return html`<li class="card" data-rule=${rule.id}>
    <span class="tile">${icon(cueIcon(rule.icon, rule.id), 24)}</span>
    <div><h2>${rule.text} <span class="chip">${rule.id}</span>${rule.enabled ? nothing : html`<span class="chip">${text.off}</span>`}</h2>
      <p class="soft">${rule.why}</p>
      ${rule.better_wording.length === 0 ? nothing : html`<p class="small">${text.better}: ${rule.better_wording.map((words) => html`“${words}” `)}</p>`}
      <details><summary>${text.when}</summary><code>${rule.when.trim()}</code><p class="small soft">${text.clears}</p><code>${rule.clear_when.trim()}</code></details>
    </div>
    <dl><dt>${text.priority}</dt><dd>${rule.priority}</dd><dt>${text.latency}</dt><dd>${text.latencyClass[rule.latency_class] ?? rule.latency_class}</dd>
      <dt>${text.confidence}</dt><dd>${rule.confidence_floor}</dd><dt>${text.cooldown}</dt><dd>${seconds(rule.cooldown_ms)}</dd>
      <dt>${text.ttl}</dt><dd>${seconds(rule.ttl_ms)}</dd><dt>${text.perCall}</dt><dd>${rule.max_per_call}</dd></dl>
  </li>`;
}

customElements.define("hl-rules", Rules);
