/** `<hl-alerts>`: what somebody should know now: reason, age, what helps, and who has taken it. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { ClientMessage } from "../backend";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { prefs } from "../prefs";
import { ago, strings } from "../strings";
import { ALERT_SEVERITY } from "./card";
import { badge } from "./card-view";
import type { OpenAlert } from "./store";
import { callStyles } from "./styles";

/** Alerts listed; a longer list helps nobody, and the cards carry all of them. */
const LISTED = 40;

export class Alerts extends LitElement {
  static override properties = { alerts: { attribute: false }, muted: { attribute: false } };
  static override styles = [
    base,
    callStyles,
    css`
    h2 { display: flex; gap: 6px; align-items: center; padding: 2px 0 var(--s2); }
    ul { display: grid; gap: var(--s2); }
    li { padding: var(--s3); display: grid; gap: 6px; }
    .head { display: flex; gap: var(--s2); align-items: center; flex-wrap: wrap; }
    .head a { font-weight: 600; color: var(--text); text-decoration: none; }
    .head a:hover { text-decoration: underline; }
    .answered { opacity: 1; background: transparent; border-style: dashed; }
    .actions { display: flex; gap: 4px; flex-wrap: wrap; margin-left: -2px; }
    .actions button { min-height: 28px; padding: 0 8px; }
    .reason { overflow-wrap: anywhere; unicode-bidi: isolate; }
    .muted { margin-top: var(--s3); display: grid; gap: 4px; }
  `,
  ];

  declare alerts: readonly OpenAlert[];
  declare muted: readonly string[];

  constructor() {
    super();
    this.alerts = [];
    this.muted = [];
  }

  private answer(taken: boolean, { callId, alert }: OpenAlert): void {
    const detail: ClientMessage = { type: "acknowledge", call_id: callId, alert: alert.id, taken };
    this.dispatchEvent(new CustomEvent("answer", { detail }));
  }

  protected override render(): TemplateResult {
    const { alerts: text } = strings;
    return html`<section aria-label=${text.label}>
      <h2>${icon("bell", 16)} ${text.label} <span class="num">${this.alerts.filter(({ alert }) => alert.answer === null).length}</span></h2>
      ${
        this.alerts.length === 0
          ? html`<p class="card empty">${text.none}</p>`
          : html`<ul>${repeat(
              this.alerts.slice(0, LISTED),
              ({ callId, alert }) => `${callId}/${alert.id}`,
              (item) => this.alertView(item),
            )}</ul>`
      }
      ${
        this.muted.length === 0
          ? nothing
          : html`<div class="muted">${this.muted.map(
              (
                rule,
              ) => html`<p class="row small soft"><span class="grow">${text.muted(ruleName(rule))}</span>
              <button class="bare" @click=${() => prefs.set({ mutedRules: this.muted.filter((other) => other !== rule) })}>${text.unmute}</button></p>`,
            )}</div>`
      }
    </section>`;
  }

  private alertView(item: OpenAlert): TemplateResult {
    const { alerts: text } = strings;
    const { alert, agent, callId, agoMs } = item;
    const mute = () => prefs.set({ mutedRules: [...prefs.value.mutedRules, alert.rule] });
    return html`<li class="card ${alert.answer === null ? "" : "answered"}" data-alert=${alert.rule}>
      <p class="head">${alert.answer === null ? badge(ALERT_SEVERITY[alert.rule] ?? 2) : html`<span class="chip">${icon("check", 12)} ${text.answered[alert.answer] ?? alert.answer}</span>`}
        <a href="#call/${encodeURIComponent(callId)}">${agent ?? strings.wall.unnamed}</a><span class="grow"></span><span class="ago small">${ago(agoMs)}</span></p>
      <p class="reason" dir="auto">${alert.reason}</p>
      ${alert.suggested_action === "" ? nothing : html`<p class="small soft">${text.suggests} ${alert.suggested_action}</p>`}
      ${
        alert.answer === null
          ? html`<p class="actions">
          <button @click=${() => this.answer(true, item)}>${text.assign}</button>
          <button class="bare" @click=${() => this.answer(false, item)}>${text.acknowledge}</button>
          <button class="bare" @click=${mute}>${text.mute}</button></p>`
          : nothing
      }
    </li>`;
  }
}

function ruleName(rule: string): string {
  return rule.replace(/^sup_/, "").replaceAll("_", " ");
}

customElements.define("hl-alerts", Alerts);
