/** `<hl-transcript>`: both speakers' words; stable ones dark, tentative ones grey, acts beside. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { initial, pieces } from "../store";
import { clock, strings } from "../strings";
import type { ActDetected, CallView, Line } from "../types/events.gen";

/** Lines kept on screen; earlier ones are in the report. */
const LINES = 150;
const NO_ACTS: readonly ActDetected[] = [];

export class Transcript extends LitElement {
  static override properties = { view: { attribute: false }, follows: { state: true } };
  static override styles = [
    base,
    css`
    :host { position: relative; display: flex; flex-direction: column; min-height: 200px; overflow: hidden; }
    .list { flex: 1 1 0; min-height: 0; overflow-y: auto; overflow-anchor: none; padding: var(--s3) var(--s4); border-radius: var(--round); scrollbar-width: thin;
      mask-image: linear-gradient(transparent, #000 12px, #000 calc(100% - 12px), transparent); }
    .list:focus-visible { outline-offset: -2px; mask-image: none; }
    .line { display: grid; grid-template-columns: 40px 72px 1fr fit-content(190px); gap: var(--s2) var(--s3); padding: 4px 0; align-items: baseline; }
    .line time { font-size: var(--t-small); color: var(--soft); text-align: right; }
    .who { font-size: var(--t-label); font-weight: 600; }
    .agent .who { color: var(--agent); }
    .customer .who { color: var(--customer); }
    .line p { overflow-wrap: anywhere; unicode-bidi: isolate; min-width: 0; }
    .tail { color: var(--soft); }
    .acts { display: flex; gap: 4px; flex-wrap: wrap; justify-content: flex-end; }
    .follow { position: absolute; bottom: var(--s3); left: 50%; transform: translateX(-50%); border-radius: 99px; box-shadow: 0 2px 10px rgb(0 0 0 / 14%); }
    @media (max-width: 560px) {
      .list { padding: var(--s3); }
      .line { grid-template-columns: auto auto 1fr; gap: 0 var(--s2); }
      .line p { grid-column: 1 / -1; grid-row: 2; }
      .line time { order: 2; }
    }
  `,
  ];

  declare view: CallView;
  declare follows: boolean;

  constructor() {
    super();
    this.view = initial;
    this.follows = true;
  }

  protected override shouldUpdate(changed: Map<PropertyKey, unknown>): boolean {
    const before = changed.get("view") as CallView | undefined;
    if (changed.has("follows") || before === undefined) return true;
    const { lines, acts, transcribed } = this.view;
    return before.lines !== lines || before.acts !== acts || before.transcribed !== transcribed;
  }

  protected override updated(): void {
    if (!this.follows) return;
    const list = this.renderRoot.querySelector(".list");
    if (list) list.scrollTop = list.scrollHeight;
  }

  private readonly onScroll = (event: Event): void => {
    const list = event.currentTarget as HTMLElement;
    this.follows = list.scrollHeight - list.scrollTop - list.clientHeight < 32;
  };

  protected override render(): TemplateResult {
    const { lines, transcribed } = this.view;
    const acts = new Map<string, ActDetected[]>();
    for (const act of this.view.acts) {
      const known = acts.get(act.utterance_id);
      if (known) known.push(act);
      else acts.set(act.utterance_id, [act]);
    }
    const hidden = Math.max(0, lines.length - LINES);
    return html`
      <div class="list" data-testid="transcript" role="log" aria-live="off" tabindex="0"
        aria-label=${strings.transcript} @scroll=${this.onScroll}>
        ${lines.length === 0 ? html`<p class="empty">${transcribed ? strings.noWords : strings.notTranscribed}</p>` : nothing}
        ${hidden > 0 ? html`<p class="empty small">${strings.earlier(hidden)}</p>` : nothing}
        ${repeat(
          lines.slice(hidden),
          (line) => line.id,
          (line) => {
            const own = acts.get(line.id) ?? NO_ACTS;
            return guard([line, own.length], () => lineView(line, own));
          },
        )}
      </div>
      ${
        this.follows
          ? nothing
          : html`<button class="follow" @click=${() => {
              this.follows = true;
            }}>${icon("down", 14)} ${strings.follow}</button>`
      }`;
  }
}

function lineView(line: Line, acts: readonly ActDetected[]): TemplateResult {
  const note = strings.status[line.status] ?? "";
  return html`<div class="line ${line.channel}" data-channel=${line.channel}>
    <time>${clock(line.start_ms)}</time>
    <span class="who">${strings.channel[line.channel]}</span>
    <p dir="auto">${words(line.stable)}${line.tail === "" ? nothing : html` <span class="tail">${words(line.tail)}</span>`}${note === "" ? nothing : html` <span class="tail">${note}</span>`}</p>
    <span class="acts">${acts.map(
      (act) =>
        html`<span class="chip" title=${act.text}>${strings.acts[act.kind] ?? act.kind.replaceAll("_", " ")}</span>`,
    )}</span>
  </div>`;
}

/** Words as text, and a block for each redaction. */
export function words(text: string): readonly TemplateResult[] {
  return pieces(text).map((piece) =>
    piece.redacted
      ? html`<span class="redacted" role="img" title=${strings.redacted(piece.text)} aria-label=${strings.redacted(piece.text)}>▒▒▒▒</span>`
      : html`${piece.text}`,
  );
}

customElements.define("hl-transcript", Transcript);
