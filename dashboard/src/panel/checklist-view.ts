/** `<hl-checklist>`: six behaviours of this call; each ticks itself, with the words that did it. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { type Check, checklist } from "../checklist";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { initial } from "../store";
import { clock, strings } from "../strings";
import type { CallView } from "../types/events.gen";

export class ChecklistView extends LitElement {
  static override properties = { view: { attribute: false } };
  static override styles = [
    base,
    css`
    section { padding: var(--s3) var(--s4) var(--s3); }
    ul { display: grid; gap: 2px; margin-top: var(--s2); }
    li { display: grid; grid-template-columns: 20px 1fr; gap: var(--s2); align-items: start; padding: 3px 0; }
    .mark { width: 18px; height: 18px; margin-top: 2px; border-radius: 50%; display: grid; place-items: center; border: 1.5px dashed var(--line-strong); color: var(--on-accent); }
    .due .mark { border: 1.5px solid var(--accent); box-shadow: inset 0 0 0 4px var(--card), inset 0 0 0 10px var(--accent); }
    .done .mark { border: 0; background: var(--ok); }
    .done .mark .icon { stroke-width: 3; color: var(--card); }
    .open .name { color: var(--soft); }
    .state { font-size: var(--t-small); color: var(--soft); }
    .due .state { color: var(--accent); }
    .what { min-width: 0; display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: baseline; gap: 0 var(--s1); }
    .quote { display: none; grid-column: 1 / -1; font-size: var(--t-label); color: var(--soft); overflow-wrap: anywhere; unicode-bidi: isolate; }
    button { all: unset; display: contents; cursor: help; }
    button:focus-visible .name { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
    li:hover .quote, li:focus-within .quote, .all .quote { display: block; }
    @media (max-width: 560px) { section { padding: var(--s2) var(--s3); } ul { grid-template-columns: 1fr 1fr; gap: 0 var(--s2); } .state { display: none; } li { font-size: var(--t-label); } }
  `,
  ];

  declare view: CallView;

  constructor() {
    super();
    this.view = initial;
  }

  protected override render(): TemplateResult {
    const { checklist: words } = strings;
    return html`<section class="card" aria-label=${words.label}>
      <h2>${words.label}</h2>
      <ul>${checklist(this.view).map((item) => itemView(item))}</ul>
    </section>`;
  }
}

function itemView({ name, state, by }: Check): TemplateResult {
  const { checklist: words } = strings;
  const label = html`<span class="name">${words[name]}</span>`;
  const when =
    by === null
      ? html`<span class="state" title=${words[state as "open" | "due"]}>${state === "due" ? words.dueShort : words.openShort}</span>`
      : html`<time class="state">${clock(by.start_ms)}</time>`;
  return html`<li class=${state} data-check=${name} data-state=${state}>
    <span class="mark" aria-hidden="true">${state === "done" ? icon("check", 12) : nothing}</span>
    <span class="what">${
      by === null
        ? html`${label}${when}`
        : html`<button title=${by.text}>${label}${when}<span class="quote" dir="auto">“${by.text}”</span></button>`
    }</span>
  </li>`;
}

customElements.define("hl-checklist", ChecklistView);
