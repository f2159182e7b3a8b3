import { css } from "lit";

/** Styles of cards, rows and reasons, shared by the wall and the call view. */
export const callStyles = css`
  .badge { display: inline-flex; align-items: center; gap: 5px; height: 22px; padding: 0 8px; border-radius: 99px; font-size: var(--t-small); font-weight: 600; border: 1px solid var(--line); color: var(--soft); background: var(--card); white-space: nowrap; }
  .badge.s1 { color: var(--text); border-color: var(--line-strong); }
  .badge.s2 { color: var(--warn); border-color: var(--warn); background: var(--warn-ground); }
  .badge.s3 { color: var(--mark); border-color: var(--mark); background: var(--mark-ground); }
  .badge.s4 { color: var(--card); border-color: var(--mark); background: var(--mark); }
  .ago { color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
  q { quotes: "“" "”"; unicode-bidi: isolate; }
  .trend { display: inline-flex; align-items: center; gap: 6px; font-size: var(--t-small); color: var(--soft); }
  .trend svg { overflow: visible; }
  .trend .zero { stroke: var(--line-strong); stroke-dasharray: 1 3; }
  .trend polyline { fill: none; stroke: var(--customer); stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
  .fresh { display: inline-flex; align-items: center; gap: 5px; font-size: var(--t-small); color: var(--soft); }
  .fresh i { width: 7px; height: 7px; border-radius: 50%; background: var(--ok); }
  .fresh.old { color: var(--mark); }
  .fresh.old i { background: transparent; border: 2px solid var(--mark); }
`;

/** Styles of a card and a row. */
export const wallStyles = css`
  .call.card { height: 100%; padding: var(--s3) var(--s4) var(--s3); display: grid; grid-template: 24px 43px 40px 40px 18px / minmax(0, 1fr); align-content: space-between; position: relative; overflow: hidden; }
  .call.card:hover { border-color: var(--line-strong); }
  .call.card.s4 { border-color: var(--mark); }
  .call .name { font-weight: 600; color: var(--text); text-decoration: none; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .call.card .name::after { content: ""; position: absolute; inset: 0; }
  .call .name:focus-visible { outline: 0; }
  .call.card .name:focus-visible::after { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: var(--round); }
  .line .name:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .top { display: flex; gap: var(--s2); align-items: center; min-width: 0; }
  .why { font-size: var(--t-label); overflow: hidden; }
  .call .why p, .one { display: flex; gap: 6px; min-width: 0; white-space: nowrap; line-height: 21px; }
  .call .why .what, .one .what { overflow: hidden; text-overflow: ellipsis; unicode-bidi: isolate; }
  .said { font-size: var(--t-label); color: var(--soft); overflow: hidden; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow-wrap: anywhere; unicode-bidi: isolate; }
  .call hl-lanes { height: 40px; }
  .foot { display: flex; gap: var(--s3); align-items: center; font-size: var(--t-small); color: var(--soft); white-space: nowrap; }
  .head, .line { display: grid; grid-template: none / 84px 128px 60px minmax(0, 1.5fr) minmax(0, 1.3fr) 104px 28px; gap: var(--s3); align-items: center; height: 44px; padding: 0 var(--s3); border-bottom: 1px solid var(--line); font-size: var(--t-label); border-radius: 0; }
  .line { background: var(--card); }
  .line > span { display: flex; align-items: center; min-width: 0; }
  .line > .cut { display: block; }
  .line .fresh { overflow: hidden; }
  .head :last-child { position: absolute; clip-path: inset(50%); }
  .head { position: sticky; top: 0; z-index: 1; background: var(--ground); color: var(--soft); height: 32px; }
  .line:hover { background: var(--sunken); }
  .cut { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; unicode-bidi: isolate; }
`;
