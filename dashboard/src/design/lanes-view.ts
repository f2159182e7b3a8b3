/** `<hl-lanes>`: the canvas that `drawLanes` draws on, moving with the call. */
import { css, html, LitElement, type TemplateResult } from "lit";
import { prefs } from "../prefs";
import { drawLanes, type LaneData, type Palette } from "./lanes";

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Lanes extends LitElement {
  static override properties = {
    data: { attribute: false },
    nowMs: { type: Number },
    spanMs: { type: Number },
    moving: { type: Boolean },
    bare: { type: Boolean },
    label: {},
  };
  static override styles = css`
    :host { display: block; height: 132px; }
    canvas { display: block; width: 100%; height: 100%; }
  `;

  declare data: LaneData;
  /** Position of the call, in milliseconds. */
  declare nowMs: number;
  /** Span shown, ending now; 0 shows the whole call. */
  declare spanMs: number;
  /** Whether time goes on between two positions. */
  declare moving: boolean;
  /** Without names and time marks, as on a card. */
  declare bare: boolean;
  declare label: string;
  private frame = 0;
  private heardAt = 0;
  /** Width and height in CSS pixels, told after layout: asking for them would force one. */
  private size: readonly [number, number] = [0, 0];
  private readonly resized = new ResizeObserver((entries) => {
    const box = entries.at(-1)?.contentRect;
    this.size = [box?.width ?? 0, box?.height ?? 0];
    this.draw();
  });

  constructor() {
    super();
    this.data = { speech: [], raised: [], mixed: false, cuts: [] };
    this.nowMs = 0;
    this.spanMs = 30_000;
    this.moving = false;
    this.bare = false;
    this.label = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.resized.observe(this);
    prefs.addEventListener("change", this.recolour);
    for (const query of COLOUR_QUERIES) query.addEventListener("change", this.recolour);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resized.disconnect();
    prefs.removeEventListener("change", this.recolour);
    for (const query of COLOUR_QUERIES) query.removeEventListener("change", this.recolour);
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  private readonly recolour = (): void => {
    palette = null;
    this.draw();
  };

  protected override updated(changed: ReadonlyMap<PropertyKey, unknown>): void {
    if (changed.has("nowMs")) this.heardAt = performance.now();
    if (this.runs) {
      if (this.frame === 0) this.frame = requestAnimationFrame(this.step);
    } else this.draw();
  }

  private get runs(): boolean {
    return this.moving && !still.matches && !prefs.value.quiet;
  }

  private readonly step = (): void => {
    this.frame = this.runs ? requestAnimationFrame(this.step) : 0;
    this.draw();
  };

  private draw(): void {
    const canvas = this.renderRoot?.querySelector("canvas");
    const context = canvas?.getContext("2d");
    const [width, height] = this.size;
    if (!canvas || !context || width === 0) return;
    palette ??= colours(canvas);
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const ahead = this.runs ? Math.min(500, performance.now() - this.heardAt) : 0;
    const nowMs = this.nowMs + ahead;
    const span = this.spanMs > 0 ? this.spanMs : Math.max(nowMs, 30_000);
    const fromMs = this.spanMs > 0 ? nowMs - span : 0;
    drawLanes(
      context,
      this.data,
      {
        fromMs,
        toMs: fromMs + span,
        nowMs,
        width,
        height,
        labels: !this.bare,
        rolling: this.spanMs > 0,
      },
      palette,
    );
  }

  protected override render(): TemplateResult {
    return html`<canvas role="img" aria-label=${this.label}></canvas>`;
  }
}

const COLOUR_QUERIES = [
  matchMedia("(prefers-color-scheme: dark)"),
  matchMedia("(prefers-contrast: more)"),
] as const;

/** Colours of the theme, read once for all lanes of the page. */
let palette: Palette | null = null;

/** Colours as this theme resolves them; the canvas cannot read custom properties itself. */
function colours(canvas: HTMLCanvasElement): Palette {
  const read = (name: string) => {
    canvas.style.color = `var(--${name})`;
    return getComputedStyle(canvas).color;
  };
  return {
    agent: read("agent"),
    customer: read("customer"),
    mark: read("mark"),
    line: read("line"),
    label: read("soft"),
    card: read("card"),
  };
}

customElements.define("hl-lanes", Lanes);
