/** `<hl-sign-in>`: name and password, on a server that has users. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { base } from "./design/base";
import { icon } from "./design/icons";
import { signIn, waysIn } from "./session";
import { strings } from "./strings";

export class SignIn extends LitElement {
  static override properties = {
    problem: { state: true },
    busy: { state: true },
    provider: { state: true },
  };
  static override styles = [
    base,
    css`
    form { max-width: 360px; margin: 12vh auto 0; padding: var(--s5); display: grid; gap: var(--s3); }
    label { display: grid; gap: 4px; font-size: var(--t-label); color: var(--soft); }
    button { min-height: 38px; }
    .problem { color: var(--mark); font-size: var(--t-label); }
    .tile { color: var(--mark); }
  `,
  ];

  declare problem: string | null;
  declare busy: boolean;
  /** Whether the centre's own provider can vouch for people. */
  declare provider: boolean;

  constructor() {
    super();
    this.problem = null;
    this.busy = false;
    this.provider = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void waysIn().then((ways) => {
      this.provider = ways.provider;
    });
  }

  private readonly submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    this.busy = true;
    const answer = await signIn(String(form.get("name")), String(form.get("password")));
    this.busy = false;
    if (answer === "in" && isNew()) location.assign("/learn");
    else if (answer === "in") this.dispatchEvent(new CustomEvent("signed-in"));
    else this.problem = strings.signIn[answer];
  };

  protected override render(): TemplateResult {
    const { signIn: words } = strings;
    return html`<form class="card" @submit=${this.submit}>
      <span class="tile">${icon("heart", 28)}</span>
      <h1>${words.title}</h1>
      <label>${words.name}<input name="name" autocomplete="username" required></label>
      <label>${words.password}<input name="password" type="password" autocomplete="current-password" required></label>
      ${this.problem === null ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}
      <button class="main" ?disabled=${this.busy}>${words.button}</button>
      ${this.provider ? html`<a href="/v1/oidc/start">${words.provider}</a>` : nothing}
    </form>`;
  }
}

/** Whether nobody has signed in with this browser before: the first time leads to why and how. */
function isNew(): boolean {
  const first = localStorage.getItem("heartline-signed-in") === null;
  localStorage.setItem("heartline-signed-in", "yes");
  return first;
}

customElements.define("hl-sign-in", SignIn);
