/** `<hl-rule-editor>`: the numbers of one rule as fields, those of its condition in their place. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { words } from "../words/rules";
import { pieces, withNumber } from "./expression";
import type { Rule, Value } from "./rules";

interface Field {
  readonly key: "cooldown_ms" | "ttl_ms" | "hold_ms" | "max_per_call" | "confidence_floor";
  readonly label: string;
  readonly unit: string;
  /** What one unit is in the rule's own. */
  readonly scale: number;
  readonly step: number;
  readonly min: number;
  readonly max: number;
}

const FIELDS: readonly Field[] = [
  {
    key: "cooldown_ms",
    label: words.cooldown,
    unit: words.seconds,
    scale: 1000,
    step: 1,
    min: 0,
    max: 3600,
  },
  {
    key: "ttl_ms",
    label: words.ttl,
    unit: words.seconds,
    scale: 1000,
    step: 0.5,
    min: 0.5,
    max: 60,
  },
  {
    key: "hold_ms",
    label: words.hold,
    unit: words.seconds,
    scale: 1000,
    step: 0.1,
    min: 0,
    max: 60,
  },
  {
    key: "max_per_call",
    label: words.perCall,
    unit: words.times,
    scale: 1,
    step: 1,
    min: 1,
    max: 100,
  },
  {
    key: "confidence_floor",
    label: words.confidence,
    unit: "",
    scale: 1,
    step: 0.05,
    min: 0,
    max: 1,
  },
];

export class RuleEditor extends LitElement {
  static override properties = { rule: { attribute: false }, draft: { attribute: false } };
  static override styles = [
    base,
    css`
    .fields { display: flex; flex-wrap: wrap; gap: var(--s3) var(--s4); align-items: end; }
    label { display: grid; gap: 3px; font-size: var(--t-label); color: var(--soft); }
    label span { display: flex; gap: 6px; align-items: center; color: var(--text); }
    .fields input[type="number"] { width: 84px; }
    .switch { display: flex; gap: 6px; align-items: center; min-height: 32px; color: var(--text); }
    .condition { white-space: pre-wrap; overflow-wrap: anywhere; font: 12px / 2.2 ui-monospace, "SF Mono", Menlo, Consolas, monospace; padding: var(--s2) var(--s3); background: var(--sunken); border-radius: var(--round-small); margin: 4px 0 0; }
    .condition input { width: 72px; margin: 0 3px; min-height: 26px; padding: 0 6px; font: inherit; line-height: 1.4; }
    .changed { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
    h3 { font-size: var(--t-label); font-weight: 500; color: var(--soft); margin-top: var(--s3); display: flex; align-items: center; gap: var(--s2); }
    .back { min-height: 24px; font-size: var(--t-small); padding: 0 6px; }
  `,
  ];

  declare rule: Rule | null;
  declare draft: Readonly<Record<string, Value>>;

  constructor() {
    super();
    this.rule = null;
    this.draft = {};
  }

  private tell(key: string, value: Value): void {
    const detail = { rule: this.rule, key, value };
    this.dispatchEvent(new CustomEvent("draft", { detail }));
  }

  /** The value as drafted; null stands for the packaged one. */
  private now(rule: Rule, key: keyof Rule): Value {
    const drafted = this.draft[key];
    if (drafted === null) return rule.packaged[key] ?? null;
    return drafted ?? (rule[key] as Value);
  }

  protected override render(): TemplateResult {
    const { rule } = this;
    if (rule === null) return html``;
    return html`<div class="fields">
        <label class="switch"><input type="checkbox" .checked=${this.now(rule, "enabled") === true} @change=${(
          event: Event,
        ) => this.tell("enabled", (event.target as HTMLInputElement).checked)}> ${words.on}</label>
        <label>${words.priority}<select class=${"priority" in this.draft ? "changed" : ""} @change=${(event: Event) => this.tell("priority", Number((event.target as HTMLSelectElement).value))}>
          ${words.priorities.map((name, priority) => html`<option value=${priority} ?selected=${priority === this.now(rule, "priority")}>${name}</option>`)}</select>${this.back(rule, "priority", String(rule.packaged.priority))}</label>
        ${FIELDS.map((field) => this.field(rule, field))}</div>
      ${this.condition(rule, "when", words.shows)}${this.condition(rule, "clear_when", words.clears)}`;
  }

  private field(rule: Rule, field: Field): TemplateResult {
    const { key, scale, unit } = field;
    const value = Number(this.now(rule, key)) / scale;
    return html`<label>${field.label}<span><input type="number" class=${key in this.draft ? "changed" : ""} min=${field.min} max=${field.max} step=${field.step} .value=${String(value)} @change=${(
      event: Event,
    ) => {
      const input = event.target as HTMLInputElement;
      if (input.reportValidity() && input.value !== "")
        this.tell(key, scaled(Number(input.value), scale));
    }}>${unit}</span>${this.back(rule, key, `${Number(rule.packaged[key]) / scale} ${unit}`)}</label>`;
  }

  private condition(rule: Rule, key: "when" | "clear_when", label: string): TemplateResult {
    const source = String(this.now(rule, key)).trim();
    const was = pieces(rule[key].trim()).filter((piece) => piece.kind === "number");
    let nth = -1;
    let before = "";
    return html`<h3>${label}${this.back(rule, key, null)}</h3><div class="condition">${pieces(
      source,
    ).map((piece) => {
      if (piece.kind === "text") {
        before = piece.text.trim().split(/\s+/).slice(-2).join(" ");
        return piece.text;
      }
      nth += 1;
      const at = nth;
      const changed = was[at]?.text !== piece.text;
      return html`<input type="number" min="0" step="any" class=${changed ? "changed" : ""} aria-label=${words.number(at + 1, before)} .value=${piece.text} @change=${(
        event: Event,
      ) => {
        const input = event.target as HTMLInputElement;
        if (input.value !== "" && input.reportValidity())
          this.tell(key, withNumber(String(this.now(rule, key)), at, input.value));
      }}>${piece.unit}`;
    })}</div>`;
  }

  private back(rule: Rule, key: string, value: string | null): TemplateResult | typeof nothing {
    if (!(key in rule.packaged) || this.draft[key] === null) return nothing;
    const label = value === null ? words.packagedText : words.packaged(value);
    return html`<button class="bare back" title=${words.reset} aria-label="${label}, ${words.reset}" @click=${() => this.tell(key, null)}>${icon("repeat", 12)} ${label}</button>`;
  }
}

/** A length in the rule's own unit, without what binary fractions add. */
function scaled(value: number, scale: number): number {
  return scale === 1 ? value : Math.round(value * scale);
}

customElements.define("hl-rule-editor", RuleEditor);
