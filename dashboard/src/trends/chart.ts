/** Small charts over days: bars and lines on one grid, readable without colour. */
import { css, html, nothing, svg, type TemplateResult } from "lit";

export interface Series {
  readonly name: string;
  readonly kind: "bar" | "bar-part" | "line" | "line-dashed";
  readonly values: readonly (number | null)[];
}

export const chartStyles = css`
  .chart figure { margin-top: var(--s2); }
  .plot { position: relative; padding-left: 30px; }
  .plot span { position: absolute; left: 0; width: 24px; text-align: right; font-size: var(--t-small); color: var(--soft); line-height: 1; }
  .plot .top { top: 0; } .plot .bottom { bottom: 0; }
  .plot svg { display: block; width: 100%; height: 132px; overflow: visible; }
  .plot .grid { stroke: var(--line); fill: none; vector-effect: non-scaling-stroke; }
  .bar { fill: var(--agent); } .bar-part { fill: var(--usual); }
  .line, .line-dashed { fill: none; stroke: var(--agent); stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
  .line-dashed { stroke: var(--customer); stroke-dasharray: 5 4; }
  .dots { stroke-width: 5; stroke-linecap: round; stroke-dasharray: none; }
  .hit { fill: transparent; }
  .hit:hover { fill: var(--text); fill-opacity: 0.06; }
  .axis { display: flex; justify-content: space-between; padding: 5px 0 0 30px; font-size: var(--t-small); }
`;

const HEIGHT = 100;
const COLUMN = 10;

/** A round number at or above the highest value. */
export function roundTop(highest: number): number {
  if (highest <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return (
    [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((top) => top >= highest) ??
    10 * power
  );
}

export function chart(
  label: string,
  series: readonly Series[],
  days: readonly string[],
  name: (index: number) => string,
): TemplateResult {
  const known = series.flatMap((one) => one.values.filter((value) => value !== null));
  const top = roundTop(Math.max(0, ...known));
  const width = Math.max(1, days.length) * COLUMN;
  const y = (value: number) => HEIGHT - (value / top) * HEIGHT;
  return html`<figure>
    <div class="plot">
      <span class="top num">${top.toLocaleString()}</span><span class="bottom num">0</span>
      <svg viewBox="0 0 ${width} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${label}>
        <path class="grid" d="M0 0H${width}M0 ${HEIGHT / 2}H${width}M0 ${HEIGHT}H${width}"></path>
        ${series.map((one) =>
          one.kind === "bar" || one.kind === "bar-part" ? bars(one, y) : line(one, y),
        )}
        ${days.map((_, index) => svg`<rect class="hit" x=${index * COLUMN} width=${COLUMN} height=${HEIGHT}><title>${name(index)}</title></rect>`)}
      </svg>
    </div>
    <div class="axis small soft"><span>${days.at(0) ?? nothing}</span><span>${days.at(-1) ?? nothing}</span></div>
  </figure>`;
}

function bars(series: Series, y: (value: number) => number): TemplateResult[] {
  return series.values.map((value, index) =>
    value === null || value === 0
      ? svg``
      : svg`<rect class=${series.kind} x=${index * COLUMN + 1.5} width=${COLUMN - 3} y=${y(value)} height=${HEIGHT - y(value)}></rect>`,
  );
}

/** A line with gaps where nothing is known; every known day has a dot, so that one alone shows. */
function line(series: Series, y: (value: number) => number): TemplateResult {
  let path = "";
  let dots = "";
  let joined = false;
  series.values.forEach((value, index) => {
    if (value === null) {
      joined = false;
      return;
    }
    const at = `${(index + 0.5) * COLUMN} ${y(value)}`;
    path += `${joined ? "L" : "M"}${at}`;
    dots += `M${at}h0`;
    joined = true;
  });
  return svg`<path class=${series.kind} d=${path}></path><path class="dots ${series.kind}" d=${dots}></path>`;
}
