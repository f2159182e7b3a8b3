/** The styles that every component shares: buttons, fields, cards, chips, text sizes. */
import { css } from "lit";

export const base = css`
  :host { display: block; color: var(--text); font: 400 var(--t-body) / 1.45 var(--font); }
  :host([hidden]) { display: none; }
  * { box-sizing: border-box; }
  p, h1, h2, h3, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
  ul, ol { list-style: none; }
  h1 { font-size: var(--t-lead); font-weight: 600; letter-spacing: -0.01em; }
  h2 { font-size: var(--t-label); font-weight: 600; color: var(--soft); }
  a { color: var(--accent); }
  time, .num { font-variant-numeric: tabular-nums; }
  .soft { color: var(--soft); }
  .small { font-size: var(--t-label); }
  .tiny { font-size: var(--t-small); }
  .grow { flex: 1; min-width: 0; }
  .row { display: flex; align-items: center; gap: var(--s2); }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: var(--round); }
  .icon { fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; flex: none; vertical-align: -0.25em; }
  .icon-list, .icon-offline { stroke-width: 2.2; }
  .visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  button, .button, select, input, textarea { font: inherit; font-size: var(--t-label); color: var(--text); }
  button, .button {
    display: inline-flex; align-items: center; justify-content: center; gap: 6px; min-height: 30px; min-width: 30px;
    padding: 0 9px; border: 1px solid var(--line); border-radius: var(--round-small); background: var(--card);
    font-weight: 500; cursor: pointer; white-space: nowrap; text-decoration: none;
  }
  button:hover, .button:hover { background: var(--sunken); border-color: var(--line-strong); }
  button[aria-pressed="true"], button[aria-expanded="true"] { background: var(--sunken); border-color: var(--line-strong); }
  button:disabled { color: var(--soft); cursor: default; background: transparent; border-color: var(--line); }
  button.bare { border-color: transparent; background: transparent; color: var(--soft); }
  button.bare:hover, button.bare[aria-pressed="true"] { color: var(--text); background: var(--sunken); }
  button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
  button.main:hover { filter: brightness(1.08); }
  input, select, textarea {
    min-height: 32px; padding: 0 10px; border: 1px solid var(--line-strong); border-radius: var(--round-small); background: var(--card);
  }
  input[type="checkbox"] { min-height: 0; accent-color: var(--accent); }
  ::placeholder { color: var(--soft); opacity: 1; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .chip {
    display: inline-flex; align-items: center; gap: 4px; padding: 0 7px; height: 20px; border-radius: 99px; border: 1px solid var(--line);
    font-size: var(--t-small); color: var(--soft); white-space: nowrap;
  }
  .empty { color: var(--soft); padding: var(--s4); text-align: center; }
  .redacted { letter-spacing: -1px; color: var(--soft); }
  table { border-collapse: collapse; width: 100%; font-size: var(--t-label); }
  th, td { text-align: left; padding: 9px var(--s3); border-bottom: 1px solid var(--line); vertical-align: baseline; }
  th { color: var(--soft); font-weight: 500; white-space: nowrap; }
  tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0; }
  @media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
`;
