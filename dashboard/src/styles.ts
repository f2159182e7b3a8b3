import { css } from "lit";

export const panelStyles = css`
  :host {
    color-scheme: light dark;
    --ground: #f6f7f8; --card: #ffffff; --text: #1b2126; --soft: #5a656e; --line: #dde2e6;
    --agent: #2f6f8f; --customer: #a8762a; --mark: #a23b3b; --calm: #2d7558; --shade: #a9d3bf;
    color: var(--text);
    background: var(--ground);
    font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif;
  }
  @media (prefers-color-scheme: dark) {
    :host {
      --ground: #14171a; --card: #1d2226; --text: #e8ecef; --soft: #9eabb5; --line: #333b41;
      --agent: #6fb3d4; --customer: #d9a95b; --mark: #ef8f86; --calm: #7cc7a5; --shade: #3c6a55;
    }
  }
  * { box-sizing: border-box; }
  p { margin: 0; }
  main {
    height: 100%; max-width: 1080px; margin: 0 auto; padding: 12px 16px 16px;
    display: flex; flex-direction: column; gap: 12px;
  }
  header { display: flex; align-items: center; gap: 14px; min-height: 24px; font-size: 13px; color: var(--soft); }
  header strong { color: var(--text); font-size: 15px; font-weight: 600; letter-spacing: 0.01em; }
  time { font-variant-numeric: tabular-nums; }
  .grow { flex: 1; }
  .delay { color: var(--mark); }
  .link { display: inline-flex; align-items: center; gap: 6px; }
  .link i { width: 8px; height: 8px; border-radius: 50%; border: 2px solid var(--soft); }
  .link.live i { background: var(--calm); border-color: var(--calm); }
  .link.offline, .link.refused { color: var(--mark); }
  .link.offline i, .link.refused i { border-color: var(--mark); }
  .banners:not(:has(p)) { display: none; }
  .banner { padding: 8px 14px; border-radius: 8px; border: 1px solid var(--line); background: var(--card); font-size: 14px; }
  .banner + .banner { margin-top: 6px; }
  .banner.bad { border-color: var(--mark); color: var(--mark); font-weight: 600; }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
  .slot { height: 176px; flex: none; padding: 16px 20px 10px; display: flex; flex-direction: column; }
  .words { flex: 1; min-height: 0; display: flex; align-items: center; overflow: hidden; }
  .cue { display: flex; align-items: center; gap: 18px; animation: appear 150ms ease-out; }
  @keyframes appear { from { opacity: 0; } }
  .icon {
    width: 52px; height: 52px; flex: none; fill: none; stroke: var(--agent); stroke-width: 1.6;
    stroke-linecap: round; stroke-linejoin: round;
  }
  .say { font-size: 30px; line-height: 1.15; font-weight: 600; letter-spacing: -0.01em; }
  .why { color: var(--soft); margin-top: 4px; font-size: 15px; }
  .idle { color: var(--soft); font-size: 20px; display: flex; align-items: baseline; flex-wrap: wrap; gap: 2px 14px; }
  .idle span { font-size: 15px; }
  .done { color: var(--calm); font-weight: 600; }
  .idle a { color: var(--agent); font-weight: 600; }
  .controls { display: flex; gap: 6px; align-items: center; min-height: 32px; }
  button {
    font: inherit; font-size: 13px; color: var(--soft); background: transparent; border: 1px solid var(--line);
    border-radius: 8px; min-height: 30px; min-width: 34px; padding: 2px 9px; cursor: pointer; white-space: nowrap;
  }
  .thumb { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; vertical-align: -3px; }
  .thumb.down { transform: scaleY(-1); }
  button:hover { color: var(--text); border-color: var(--soft); }
  button.away { visibility: hidden; }
  button:focus-visible, a:focus-visible, .transcript:focus-visible { outline: 2px solid var(--agent); outline-offset: 2px; }
  .lanes { padding: 8px 14px; flex: none; }
  canvas { display: block; width: 100%; height: 112px; }
  .gauges { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; flex: none; }
  .gauge { padding: 10px 14px 12px; display: grid; gap: 2px; }
  .gauge .label { font-size: 12px; color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .gauge .value { font-size: 24px; line-height: 1.2; font-weight: 600; font-variant-numeric: tabular-nums; }
  .gauge small { font-size: 13px; font-weight: 400; color: var(--soft); margin-left: 3px; }
  .gauge.unknown .value { color: var(--soft); font-weight: 400; }
  .gauge svg { width: 100%; height: 6px; border-radius: 3px; margin-top: 2px; }
  .track { fill: var(--line); }
  .normal { fill: var(--shade); }
  .needle { fill: var(--text); }
  .words-card { flex: 1; min-height: 180px; position: relative; overflow: hidden; }
  .transcript { position: absolute; inset: 0; overflow-y: auto; padding: 14px 18px; border-radius: 12px; }
  .empty { color: var(--soft); }
  .row { display: grid; grid-template-columns: 104px 1fr auto; gap: 12px; padding: 4px 0; align-items: baseline; }
  .who { font-size: 12px; font-weight: 600; display: flex; gap: 6px; justify-content: space-between; }
  .who time { font-weight: 400; color: var(--soft); }
  .row.agent .who { color: var(--agent); }
  .row.customer .who { color: var(--customer); }
  @media (prefers-color-scheme: light) { .row.customer .who { color: #85591a; } }
  .tail { color: var(--soft); }
  .hidden { letter-spacing: -1px; color: var(--soft); }
  .acts { display: flex; gap: 4px; flex-wrap: wrap; justify-content: flex-end; max-width: 200px; }
  .act { font-size: 11.5px; color: var(--soft); border: 1px solid var(--line); border-radius: 99px; padding: 0 8px; white-space: nowrap; }
  .follow { position: absolute; bottom: 12px; right: 18px; background: var(--card); color: var(--text); }
  @media (max-width: 560px) {
    main { padding: 8px; gap: 8px; }
    .slot { height: 204px; padding: 12px 14px 8px; }
    .cue { gap: 12px; }
    .icon { width: 38px; height: 38px; }
    .say { font-size: 28px; }
    .controls { gap: 4px; flex-wrap: wrap; }
    button { padding: 2px 6px; min-width: 30px; font-size: 12px; }
    .gauges { grid-template-columns: 1fr 1fr; gap: 8px; }
    .row { grid-template-columns: 1fr auto; gap: 0 8px; }
    .row p { grid-column: 1 / -1; grid-row: 2; }
    .who { justify-content: flex-start; }
  }
  @media (prefers-reduced-motion: reduce) {
    .cue { animation: none; }
  }
`;
