/** What a change of rules would have made on past calls. */
import { html, nothing, type TemplateResult } from "lit";
import { clock } from "../strings";
import type { Example, Trial } from "../types/events.gen";
import { words } from "../words/rules";
import type { Rule } from "./rules";

/** Showings listed of each kind. */
const LISTED = 5;

export function trialView(trial: Trial, rules: readonly Rule[]): TemplateResult {
  if (trial.calls === 0)
    return html`<div class="trial small" tabindex="-1" role="status">${words.noCalls}</div>`;
  const minutes = Math.round(trial.duration_ms / 60_000);
  const nameOf = (id: string) => rules.find((rule) => rule.id === id)?.text ?? id;
  const gone = trial.rules.flatMap((rule) => rule.gone);
  const come = trial.rules.flatMap((rule) => rule.come);
  return html`<div class="trial" tabindex="-1" role="group" aria-label=${words.try}>
    <p class="small" role="status">${words.trial(trial.calls, minutes)}</p>
    <table><thead><tr>${words.columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${trial.rules.map(
        (
          rule,
        ) => html`<tr data-trial=${rule.rule}><th scope="row">${nameOf(rule.rule)}</th><td class="num">${rule.before}</td>
          <td class="num ${rule.after === rule.before ? "" : "more-now"}">${rule.after}</td><td class="num soft">${rule.withheld_before}</td><td class="num soft">${rule.withheld_after}</td></tr>`,
      )}</tbody></table>
    <p class="small soft">${words.total(trial.total_before, trial.total_after)}</p>
    ${gone.length + come.length === 0 ? html`<p class="small soft">${words.noChange}</p>` : nothing}
    ${listed(words.gone, gone)}${listed(words.come, come)}</div>`;
}

function listed(title: string, examples: readonly Example[]): TemplateResult | typeof nothing {
  if (examples.length === 0) return nothing;
  return html`<h3>${title}</h3><ul>${examples
    .slice(0, LISTED)
    .map(
      (example) =>
        html`<li class="small"><a href="#replay/${encodeURIComponent(example.call_id)}">${words.at(example.call_id, clock(example.at_ms))}</a> <span class="soft">${example.evidence_line}</span></li>`,
    )}</ul>`;
}
