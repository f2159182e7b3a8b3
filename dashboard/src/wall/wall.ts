/** The supervisor wall: which call needs somebody, in the order of need. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { ClientMessage, Connection } from "../backend";
import { base } from "../design/base";
import { icon } from "../design/icons";
import { prefs } from "../prefs";
import type { Session } from "../session";
import { strings } from "../strings";
import { LiveWall, type WallBackend, type WallListener } from "./backend";
import { cardView, rowView } from "./card-view";
import {
  empty,
  type Filters,
  noFilters,
  openAlerts,
  reduceWall,
  virtualWindow,
  visible,
  type WallMessage,
  type WallState,
  type Window,
} from "./store";
import { callStyles, wallStyles } from "./styles";
import "../design/lanes-view";
import "./alerts";

const CARD_WIDTH = 280;
const CARD_HEIGHT = 232;
const ROW_HEIGHT = 44;
const GAP = 12;
/** Calls that come into view are drawn over several frames, so that none takes long. */
const NEW_PER_FRAME = 3;
/** More cards than this that change place at once do so without an animation: no eye follows them, and each would be a layer. */
const MOVES_SHOWN = 6;

export class Wall extends LitElement implements WallListener {
  static override properties = {
    session: { attribute: false },
    wall: { state: true },
    link: { state: true },
    filters: { state: true },
    scrolled: { state: true },
    size: { state: true },
    nowAt: { state: true },
  };
  static override styles = [
    base,
    callStyles,
    wallStyles,
    css`
    :host { height: 100%; }
    .wall { height: 100%; display: grid; grid-template: "tools tools" auto "list alerts" minmax(0, 1fr) / minmax(0, 1fr) 300px; gap: 0 var(--s4); padding: 0 var(--s4); }
    .tools { grid-area: tools; display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2); padding: var(--s3) 0; }
    .tools h1 { margin-right: var(--s2); }
    .find { position: relative; flex: 1 1 200px; max-width: 300px; }
    .find input { width: 100%; padding-left: 32px; }
    .find .icon { position: absolute; left: 9px; top: 7px; color: var(--soft); }
    select { max-width: 170px; }
    .switch { display: inline-flex; border: 1px solid var(--line); border-radius: var(--round-small); overflow: hidden; background: var(--card); }
    .switch button { border: 0; border-radius: 0; }
    .list { grid-area: list; overflow-y: auto; position: relative; scrollbar-width: thin; padding-bottom: var(--s4); }
    .sheet { position: relative; }
    .item { position: absolute; top: 0; left: 0; contain: layout style size; transition: transform 260ms ease; }
    .many .item { transition: none; }
    hl-alerts { grid-area: alerts; overflow-y: auto; padding-bottom: var(--s4); scrollbar-width: thin; }
    .nothing { padding: 12vh var(--s4) 0; text-align: center; color: var(--soft); display: grid; gap: 4px; justify-items: center; }
    .nothing b { color: var(--text); font-size: var(--t-lead); font-weight: 600; }
    .offline { flex-basis: 100%; padding: 6px 12px; border: 1px solid var(--mark); border-radius: var(--round-small); color: var(--mark); background: var(--mark-ground); font-size: var(--t-label); font-weight: 600; }
    @media (max-width: 900px) {
      .wall { height: auto; min-height: 100%; grid-template: "tools" auto "alerts" auto "list" 1fr / minmax(0, 1fr); padding: 0 var(--s3); }
      .list { overflow: visible; }
      .head { display: none; }
      .line { grid-template-columns: 92px 1fr 72px; }
      .line > :nth-child(n + 4) { display: none; }
    }
    @media (max-width: 560px) { .tools select { flex: 1 1 40%; max-width: none; } .find { max-width: none; flex-basis: 100%; } }
  `,
  ];

  declare session: Session | null;
  declare wall: WallState;
  declare link: Connection;
  declare filters: Filters;
  declare scrolled: number;
  declare size: readonly [number, number];
  declare nowAt: number;
  private backend: WallBackend | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private scroller: HTMLElement | null = null;
  /** What scrolls on narrow screens; it outlives this element. */
  private page: HTMLElement | null = null;
  /** Calls on screen that have been drawn. */
  private drawn: ReadonlySet<string> = new Set();
  /** Where each call in view stood. */
  private places: ReadonlyMap<string, number> = new Map();
  private readonly resized = new ResizeObserver(() => this.measure());

  constructor() {
    super();
    this.session = null;
    this.wall = empty;
    this.link = "connecting";
    this.filters = noFilters;
    this.scrolled = 0;
    this.size = [0, 0];
    this.nowAt = performance.now();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    prefs.addEventListener("change", this.onPrefs);
    window.addEventListener("keydown", this.onKey);
    this.timer = setInterval(() => {
      this.nowAt = performance.now();
    }, 1000);
    if (this.session !== null) this.play(new LiveWall(this.session));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    prefs.removeEventListener("change", this.onPrefs);
    window.removeEventListener("keydown", this.onKey);
    clearInterval(this.timer);
    this.page?.removeEventListener("scroll", this.measure);
    this.resized.disconnect();
    this.backend?.stop();
    document.title = strings.product;
  }

  /** Show what a backend tells. */
  play(backend: WallBackend): void {
    this.backend = backend;
    backend.start(this);
  }

  connection(state: Connection): void {
    this.link = state;
  }

  message(message: WallMessage): void {
    this.nowAt = performance.now();
    this.wall = reduceWall(this.wall, message, this.nowAt);
    const open = openAlerts(this.wall, prefs.value.mutedRules);
    const unanswered = open.filter(({ alert }) => alert.answer === null).length;
    document.title = strings.alerts.title(unanswered, strings.product);
  }

  private readonly onPrefs = (): void => this.requestUpdate();

  private readonly onKey = (event: KeyboardEvent): void => {
    const target = event.composedPath()[0];
    const typing = target instanceof HTMLElement && target.matches("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !prefs.value.keys) return;
    if (event.key === "/")
      this.renderRoot.querySelector<HTMLElement>("input[type=search]")?.focus();
    else if (event.key === "n") this.filter({ needOnly: !this.filters.needOnly });
    else if (event.key === "v")
      this.switchView(prefs.value.wallView === "cards" ? "table" : "cards");
    else if (event.key.startsWith("Arrow")) this.step(event.key);
    else return;
    event.preventDefault();
  };

  /** Arrow keys go from call to call. */
  private step(key: string): void {
    const links = [...this.renderRoot.querySelectorAll<HTMLElement>(".name")].sort(
      (a, b) =>
        Number(a.closest<HTMLElement>(".item")?.dataset.index) -
        Number(b.closest<HTMLElement>(".item")?.dataset.index),
    );
    const root = this.shadowRoot;
    const at = links.indexOf(root?.activeElement as HTMLElement);
    const jump = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[
      key
    ];
    const next = links[Math.max(0, Math.min(links.length - 1, at < 0 ? 0 : at + (jump ?? 0)))];
    next?.focus();
  }

  protected override firstUpdated(): void {
    const list = this.renderRoot.querySelector<HTMLElement>(".list");
    if (list === null) return;
    this.resized.observe(list);
    this.resized.observe(this);
    list.addEventListener("scroll", this.measure, { passive: true });
    this.page = this.parentElement;
    this.page?.addEventListener("scroll", this.measure, { passive: true });
    this.scroller = list;
    this.measure();
  }

  /** Which part of the list is on screen; on narrow screens the page scrolls, not the list. */
  private readonly measure = (): void => {
    const list = this.scroller;
    if (list === null) return;
    const box = list.getBoundingClientRect();
    const own = getComputedStyle(list).overflowY !== "visible";
    const height = own ? list.clientHeight : window.innerHeight;
    const width = Math.floor(list.clientWidth);
    if (width !== this.size[0] || height !== this.size[1]) this.size = [width, height];
    const scrolled = own ? list.scrollTop : Math.max(0, -box.top);
    const row = this.rowHeight;
    if (Math.floor(scrolled / row) !== Math.floor(this.scrolled / row)) this.scrolled = scrolled;
  };

  private get isTable(): boolean {
    return prefs.value.wallView === "table";
  }

  private get columns(): number {
    return this.isTable ? 1 : Math.max(1, Math.floor((this.size[0] + GAP) / (CARD_WIDTH + GAP)));
  }

  private get rowHeight(): number {
    return this.isTable ? ROW_HEIGHT : CARD_HEIGHT + GAP;
  }

  private filter(changes: Partial<Filters>): void {
    this.filters = { ...this.filters, ...changes };
  }

  private switchView(wallView: "cards" | "table"): void {
    prefs.set({ wallView });
    this.scrolled = 0;
  }

  protected override render(): TemplateResult {
    const ids = visible(this.wall, this.filters);
    return html`<div class="wall">
      ${this.tools()}
      <div class="list">${ids.length === 0 ? this.nothingView() : this.listView(ids)}</div>
      <hl-alerts .alerts=${openAlerts(this.wall, prefs.value.mutedRules)} .muted=${prefs.value.mutedRules}
        @answer=${(event: CustomEvent<ClientMessage>) => this.backend?.send(event.detail)}></hl-alerts>
    </div>`;
  }

  private listView(ids: readonly string[]): TemplateResult {
    const { columns, rowHeight, isTable } = this;
    const shown: Window = virtualWindow(
      ids.length,
      columns,
      rowHeight,
      this.scrolled,
      this.size[1] || 800,
    );
    const width = isTable ? this.size[0] : (this.size[0] - GAP * (columns - 1)) / columns;
    const height = isTable ? ROW_HEIGHT : CARD_HEIGHT;
    const place = (index: number) => {
      const [x, y] = [(index % columns) * (width + GAP), Math.floor(index / columns) * rowHeight];
      return `width: ${width}px; height: ${height}px; transform: translate(${x}px, ${y}px)`;
    };
    const inView = ids.slice(shown.first, shown.last);
    const fresh = inView.filter((id) => !this.drawn.has(id));
    const later = new Set(fresh.slice(NEW_PER_FRAME));
    this.drawn = new Set(inView.filter((id) => !later.has(id)));
    if (later.size > 0) requestAnimationFrame(() => this.requestUpdate());
    const places = new Map(inView.map((id, at) => [id, shown.first + at]));
    const moves = inView.filter((id) => (this.places.get(id) ?? places.get(id)) !== places.get(id));
    this.places = places;
    const sheetClass = moves.length > MOVES_SHOWN ? "sheet many" : "sheet";
    const items = repeat(
      inView,
      (id) => id,
      (id, at) => {
        const index = shown.first + at;
        const entry = this.wall.entries.get(id);
        if (entry === undefined) return nothing;
        const context = { staleMs: this.nowAt - entry.heardAt };
        return html`<div class="item" role=${isTable ? "rowgroup" : "listitem"} data-index=${index} aria-setsize=${isTable ? nothing : ids.length} aria-posinset=${isTable ? nothing : index + 1}
          .style=${place(index)}>${later.has(id) ? nothing : isTable ? rowView(entry.card, context) : cardView(entry.card, context)}</div>`;
      },
    );
    const sheet = `height: ${shown.height}px`;
    if (!isTable)
      return html`<div class=${sheetClass} role="list" aria-label=${strings.wall.title} .style=${sheet}>${items}</div>`;
    return html`<div role="table" aria-label=${strings.wall.title} aria-rowcount=${ids.length + 1}>
      <div role="rowgroup" class="headgroup"><div class="head" role="row">${strings.wall.columns.map((name) => html`<span role="columnheader">${name}</span>`)}</div></div>
      <div class=${sheetClass} role="presentation" .style=${sheet}>${items}</div></div>`;
  }

  private nothingView(): TemplateResult {
    const { wall } = strings;
    if (this.wall.order.length > 0) return html`<p class="nothing"><b>${wall.noMatch}</b></p>`;
    return html`<p class="nothing"><b>${wall.none}</b>${wall.noneHint}</p>`;
  }

  private tools(): TemplateResult {
    const { wall } = strings;
    const cards = [...this.wall.entries.values()].map(({ card }) => card);
    const needing = cards.filter((card) => card.severity > 0).length;
    const teams = [...new Set(cards.flatMap((card) => card.team ?? []))].sort();
    const agents = [...new Set(cards.flatMap((card) => card.agent ?? []))].sort();
    const kinds = [
      ...new Set(cards.flatMap((card) => card.reasons.map(({ kind }) => kind))),
    ].sort();
    const choose = (
      label: string,
      value: string,
      options: readonly (readonly [string, string])[],
      set: (chosen: string) => void,
    ) =>
      html`<select aria-label=${label} @change=${(event: Event) => set((event.target as HTMLSelectElement).value)}>
        ${options.map(([name, text]) => html`<option value=${name} ?selected=${name === value}>${text}</option>`)}</select>`;
    const { isTable } = this;
    return html`<div class="tools">
      <h1>${wall.title}</h1>
      <span class="small soft" role="status" data-testid="wall-count">${wall.count(cards.length, needing)}</span>
      <span class="grow"></span>
      <span class="find">${icon("search")}<input type="search" aria-label=${wall.search} placeholder=${wall.searchShort} title="/" .value=${this.filters.text}
        @input=${(event: InputEvent) => this.filter({ text: (event.target as HTMLInputElement).value })}></span>
      ${choose(
        wall.need.label,
        this.filters.needOnly ? "some" : "all",
        [
          ["all", wall.need.all],
          ["some", wall.need.some],
        ],
        (value) => this.filter({ needOnly: value === "some" }),
      )}
      ${teams.length < 2 ? nothing : choose(wall.team.label, this.filters.team, [["", wall.team.all], ...teams.map((name) => [name, name] as const)], (team) => this.filter({ team }))}
      ${choose(wall.agent.label, this.filters.agent, [["", wall.agent.all], ...agents.map((name) => [name, name] as const)], (agent) => this.filter({ agent }))}
      ${choose(wall.reason.label, this.filters.reason, [["", wall.reason.all], ...kinds.map((kind) => [kind, kind === "alert" ? strings.alerts.label : (strings.reasons[kind] ?? kind)] as const)], (reason) => this.filter({ reason }))}
      ${choose(wall.duration.label, String(this.filters.overMinutes), [["0", wall.duration.all], ...[5, 10, 20].map((min) => [String(min), wall.duration.over(min)] as const)], (value) => this.filter({ overMinutes: Number(value) }))}
      <span class="switch" role="group" aria-label=${wall.view}>
        <button aria-pressed=${!isTable} @click=${() => this.switchView("cards")}>${icon("wall", 15)} ${wall.cards}</button>
        <button aria-pressed=${isTable} @click=${() => this.switchView("table")}>${icon("list", 15)} ${wall.table}</button></span>
      ${this.link === "offline" || this.link === "refused" ? html`<p class="offline" role="alert">${icon("offline", 15)} ${strings[this.link]}</p>` : nothing}
    </div>`;
  }
}

customElements.define("hl-wall", Wall);
