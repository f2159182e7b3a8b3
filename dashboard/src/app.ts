/** `<heartline-app>`: the shell of all screens; the address's fragment says which one. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { landing, session } from "./boot";
import { base } from "./design/base";
import { type IconName, icon } from "./design/icons";
import { prefs } from "./prefs";
import { type Route, route, type Screen } from "./route";
import { type Me, whoAmI } from "./session";
import { strings } from "./strings";
import "./panel/panel";

const NAV: readonly (readonly [Screen, string, IconName])[] = [
  ["panel", "#", "panel"],
  ["wall", "#wall", "wall"],
  ["calls", "#calls", "list"],
  ["trends", "#trends", "trends"],
  ["rules", "#rules", "rules"],
];
/** The action that a role must have to be offered a screen. */
const NEEDS: Readonly<Partial<Record<Screen, string>>> = {
  panel: "coach_self",
  wall: "nudge",
  calls: "list_calls",
  trends: "read_trends",
  rules: "read_rules",
};
/** Screens beside the agent's own are loaded when they are opened. */
const LOADERS: Readonly<Partial<Record<Screen, () => Promise<unknown>>>> = {
  wall: () => import("./wall/wall"),
  call: () => import("./call/call"),
  calls: () => import("./calls/calls"),
  trends: () => import("./trends/trends"),
  rules: () => import("./rules/rules"),
  data: () => import("./data/data"),
  gallery: () => import("./gallery/gallery"),
};

class HeartlineApp extends LitElement {
  static override properties = {
    at: { state: true },
    ready: { state: true },
    me: { state: true },
    stranger: { state: true },
    known: { state: true },
  };
  static override styles = [
    base,
    css`
    :host { height: 100%; display: flex; flex-direction: column; background: var(--ground); }
    header { display: flex; align-items: center; gap: var(--s4); padding: 0 var(--s4); height: 48px; flex: none; border-bottom: 1px solid var(--line); background: var(--card); }
    .brand { display: flex; align-items: center; gap: var(--s2); font-weight: 650; letter-spacing: -0.01em; color: var(--text); text-decoration: none; }
    .brand .icon { color: var(--mark); stroke-width: 2.2; }
    nav { display: flex; gap: 2px; }
    nav a { display: flex; align-items: center; gap: 6px; height: 32px; padding: 0 10px; border-radius: var(--round-small); color: var(--soft); text-decoration: none; font-size: var(--t-label); font-weight: 500; }
    nav a:hover { background: var(--sunken); color: var(--text); }
    nav a[aria-current] { background: var(--sunken); color: var(--text); }
    .skip { position: absolute; left: -999px; }
    .skip:focus { left: 8px; top: 8px; z-index: 9; background: var(--card); padding: 6px 10px; }
    main { flex: 1; min-height: 0; overflow: auto; }
    .prefs { display: flex; align-items: center; gap: var(--s3); }
    .me { display: inline-flex; align-items: center; gap: 6px; color: var(--soft); text-decoration: none; font-weight: 500; border-radius: var(--round-small); height: 32px; padding: 0 6px; }
    .me:hover, .me[aria-current] { color: var(--text); background: var(--sunken); }
    .prefs label { display: inline-flex; gap: 6px; align-items: center; font-size: var(--t-label); color: var(--soft); }
    @media (max-width: 720px) { .keys { display: none !important; } }
    @media (max-width: 560px) {
      header { padding: 0 var(--s2); gap: var(--s2); height: 44px; }
      nav a span, .brand span, .me span { position: absolute; clip-path: inset(50%); }
      nav a { padding: 0 8px; }
      .theme { position: absolute; clip-path: inset(50%); }
    }
    @media print { :host { height: auto; background: none; } header { display: none; } main { overflow: visible; } }
  `,
  ];

  declare at: Route;
  declare ready: boolean;
  /** Who is signed in; null until it is known. */
  declare me: Me | null;
  /** Whether the server has users and this page belongs to none of them. */
  declare stranger: boolean;
  /** Whether the server has said who this is, or cannot. */
  declare known: boolean;
  /** Rises when somebody signs in, so that every screen asks anew. */
  private visits = 0;

  constructor() {
    super();
    this.me = null;
    this.stranger = false;
    this.known = false;
    this.at = landing;
    this.ready = this.at.screen === "panel" || this.at.screen === "replay";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("hashchange", this.onHash);
    prefs.apply();
    void this.load();
    void this.meet();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("hashchange", this.onHash);
  }

  private readonly onHash = (): void => {
    this.at = route(location.hash);
    document.title = strings.product;
    void this.load();
  };

  private readonly meet = async (): Promise<void> => {
    try {
      await session.open();
      const me = await whoAmI();
      if (me === null) await import("./sign-in");
      this.me = me;
      this.stranger = me === null;
    } catch {
      // Each screen says for itself that the server is away or the link is old.
    }
    this.known = true;
  };

  private readonly onSignedIn = (): void => {
    this.visits += 1;
    void this.meet();
  };

  private readonly signOut = async (): Promise<void> => {
    await fetch("/v1/sign-out", { method: "POST" });
    location.reload();
  };

  private async load(): Promise<void> {
    const { screen } = this.at;
    const loader = LOADERS[screen];
    if (loader !== undefined) {
      this.ready = false;
      await loader();
    }
    if (this.at.screen === screen) this.ready = true;
  }

  protected override render(): TemplateResult {
    const { screen } = this.at;
    const current = screen === "call" ? "wall" : screen === "replay" ? "calls" : screen;
    return html`
      <header>
        <button class="skip" @click=${this.skip}>${strings.skip}</button>
        <a class="brand" href="#">${icon("heart", 20)}<span>${strings.product}</span></a>
        <nav aria-label=${strings.nav.label}>${this.offered().map(
          ([name, href, symbol]) =>
            html`<a href=${href} aria-current=${current === name ? "page" : nothing}
              >${icon(symbol)}<span>${strings.nav[name as keyof typeof strings.nav]}</span></a>`,
        )}</nav>
        <span class="grow"></span>
        <div class="prefs">
          ${
            this.me === null
              ? nothing
              : html`<a class="me small" href="#data" aria-current=${current === "data" ? "page" : nothing} title=${strings.nav.data}>${icon("person")}<span>${this.me.role === "local" ? strings.nav.data : this.me.name}</span></a>${
                  this.me.role === "local"
                    ? nothing
                    : html`<button class="bare" @click=${this.signOut}>${strings.signIn.out}</button>`
                }`
          }
          <label class="keys"><input type="checkbox" .checked=${prefs.value.keys} @change=${this.onKeys}> ${strings.keysOn}</label>
          <button class="bare" title=${strings.theme.label} @click=${this.nextTheme}>${icon("theme")}<span class="visually-hidden">${strings.theme.label}: </span><span class="theme">${strings.theme[prefs.value.theme]}</span></button>
        </div>
      </header>
      <main id="main" tabindex="-1">${this.content()}</main>`;
  }

  private content(): TemplateResult {
    if (this.stranger) return html`<hl-sign-in @signed-in=${this.onSignedIn}></hl-sign-in>`;
    if (!this.ready || !this.known) return html`<p class="empty">${strings.loading}</p>`;
    return html`${keyed(`${this.at.screen}/${this.at.id}/${this.visits}`, this.screen())}`;
  }

  /** The screens that this person's role includes. */
  private offered(): typeof NAV {
    const { me } = this;
    if (this.stranger) return [];
    return NAV.filter(([name]) => me === null || me.actions.includes(NEEDS[name] ?? ""));
  }

  private readonly skip = (): void => {
    this.renderRoot.querySelector<HTMLElement>("#main")?.focus();
  };

  private readonly nextTheme = (): void => {
    const themes = ["auto", "light", "dark"] as const;
    prefs.set({ theme: themes[(themes.indexOf(prefs.value.theme) + 1) % 3] ?? "auto" });
    this.requestUpdate();
  };

  private readonly onKeys = (event: Event): void => {
    prefs.set({ keys: (event.target as HTMLInputElement).checked });
  };

  private screen(): TemplateResult {
    const { screen, id } = this.at;
    if (screen === "wall") return html`<hl-wall .session=${session}></hl-wall>`;
    if (screen === "call") return html`<hl-call .session=${session} .callId=${id}></hl-call>`;
    if (screen === "calls") return html`<hl-calls .session=${session}></hl-calls>`;
    if (screen === "rules") return html`<hl-rules .session=${session} .me=${this.me}></hl-rules>`;
    if (screen === "trends")
      return html`<hl-trends .session=${session} .me=${this.me}></hl-trends>`;
    if (screen === "data") return html`<hl-data .session=${session} .me=${this.me}></hl-data>`;
    if (screen === "gallery") return html`<hl-gallery></hl-gallery>`;
    if (screen === "replay") return html`<hl-panel .session=${session} .replayId=${id}></hl-panel>`;
    return html`<hl-panel .session=${session} .callId=${id}></hl-panel>`;
  }
}

customElements.define("heartline-app", HeartlineApp);
