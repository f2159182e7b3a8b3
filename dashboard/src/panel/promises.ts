/** `<hl-promises>`: what was promised in this call; one press confirms, or opens it for editing. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { ClientMessage } from "../backend";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { initial } from "../store";
import { strings } from "../strings";
import type { CallView, Pledge } from "../types/events.gen";

export class Promises extends LitElement {
  static override properties = { view: { attribute: false }, editing: { state: true } };
  static override styles = [
    base,
    css`
    section { padding: var(--s3) var(--s4); }
    ul { display: grid; gap: var(--s2); margin-top: var(--s2); }
    li { border: 1px solid var(--line); border-radius: 8px; padding: var(--s2) var(--s3); display: grid; gap: 4px; }
    li.draft { border-style: dashed; border-color: var(--line-strong); }
    .what { overflow-wrap: anywhere; unicode-bidi: isolate; }
    .due { font-size: var(--t-label); color: var(--soft); display: flex; align-items: center; gap: 4px; }
    .due .state { margin-left: auto; }
    .confirmed .state, .edited .state { color: var(--ok); font-weight: 600; }
    .actions { display: flex; gap: 4px; margin: 2px 0 0 -4px; }
    .actions button { min-height: 28px; }
    form { display: grid; gap: 6px; }
    label { display: grid; gap: 2px; font-size: var(--t-small); color: var(--soft); }
    .none { color: var(--soft); font-size: var(--t-label); margin-top: 4px; }
  `,
  ];

  declare view: CallView;
  declare editing: string | null;

  constructor() {
    super();
    this.view = initial;
    this.editing = null;
  }

  private answer(message: Omit<ClientMessage & { type: "promise" }, "type">): void {
    this.editing = null;
    this.dispatchEvent(new CustomEvent("answer", { detail: { type: "promise", ...message } }));
  }

  private readonly save = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const due = String(form.get("due"));
    this.answer({
      promise: this.editing ?? "",
      verdict: "edited",
      what: String(form.get("what")),
      ...(due === "" ? {} : { due_at: withOffset(due) }),
    });
  };

  protected override render(): TemplateResult {
    const { promises } = strings;
    const shown = this.view.pledges.filter((pledge) => pledge.status !== "rejected");
    return html`<section class="card" aria-label=${promises.label}>
      <h2>${promises.label}</h2>
      ${
        shown.length === 0
          ? html`<p class="none">${promises.none}</p>`
          : html`<ul>${repeat(
              shown,
              (pledge) => pledge.id,
              (pledge) => this.pledgeView(pledge),
            )}</ul>`
      }
    </section>`;
  }

  private pledgeView(pledge: Pledge): TemplateResult {
    const { promises } = strings;
    if (this.editing === pledge.id) {
      return html`<li><form @submit=${this.save}>
        <label>${promises.what}<input name="what" maxlength="200" required .value=${pledge.what}></label>
        <label>${promises.due}<input name="due" type="datetime-local" .value=${localMinute(pledge.due_at)}></label>
        <span class="actions"><button class="main">${promises.save}</button>
        <button type="button" class="bare" @click=${() => {
          this.editing = null;
        }}>${promises.cancel}</button></span>
      </form></li>`;
    }
    const draft = pledge.status === "draft";
    return html`<li class=${pledge.status} data-promise=${pledge.id}>
      <p class="what" dir="auto">${pledge.what}</p>
      <p class="due">${icon("calendar", 14)} ${dueText(pledge)}
        <span class="state">${promises.status[pledge.status] ?? ""}</span></p>
      ${
        draft
          ? html`<span class="actions">
            <button @click=${() => this.answer({ promise: pledge.id, verdict: "confirmed" })}>${icon("check", 14)} ${promises.confirm}</button>
            <button class="bare" @click=${() => {
              this.editing = pledge.id;
            }}>${icon("edit", 14)} ${promises.edit}</button>
            <button class="bare" aria-label=${promises.reject} title=${promises.reject}
              @click=${() => this.answer({ promise: pledge.id, verdict: "rejected" })}>${icon("cross", 14)}</button>
          </span>`
          : nothing
      }
    </li>`;
  }
}

let day: Intl.DateTimeFormat | undefined;

/** By when, as a time of the reader's locale where one is known, else in the words that were said. */
function dueText({ due, due_at }: Pledge): string {
  if (due_at === null) return due ?? strings.promises.noDue;
  day ??= new Intl.DateTimeFormat(undefined, {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
  return day.format(new Date(due_at));
}

/** A time with offset as a field of local time takes it. */
function localMinute(time: string | null): string {
  if (time === null) return "";
  const at = new Date(time);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** A local time as ISO 8601 with offset. */
function withOffset(local: string): string {
  return new Date(local).toISOString();
}

customElements.define("hl-promises", Promises);
