/** The empathy checklist of a call: what was needed so far, and the words that gave it. */
import type { ActDetected, CallView } from "./types/events.gen";

export type CheckState = "open" | "due" | "done";
export type CheckName = "greeted" | "acknowledged" | "restated" | "probed" | "planned" | "closed";

export interface Check {
  readonly name: CheckName;
  readonly state: CheckState;
  /** The words that ticked it. */
  readonly by: ActDetected | null;
}

const FEELINGS: readonly string[] = ["frustration", "anger", "repeat_contact", "vulnerability"];

/** Milliseconds of the opening, in which a greeting is not missed yet. */
const OPENING_MS = 15_000;

function check(name: CheckName, needed: boolean, by: ActDetected | undefined): Check {
  if (by) return { name, state: "done", by };
  return { name, state: needed ? "due" : "open", by: null };
}

/** Judge the six behaviours; the definitions are those of the scorecard (coaching.md section 6). */
export function checklist(view: CallView): readonly Check[] {
  const said = (channel: string, kinds: readonly string[], afterMs = -1) =>
    view.acts.find(
      (act) => act.channel === channel && kinds.includes(act.kind) && act.start_ms > afterMs,
    );
  const lastFeeling = view.acts.findLast(
    (act) => act.channel === "customer" && FEELINGS.includes(act.kind),
  );
  const problem = said("customer", ["problem_statement"]) ?? lastFeeling;
  const steps = said("agent", ["next_steps", "promise"]);
  const time = said("agent", ["specific_time"]);
  const closing =
    said("agent", ["anything_else", "positive_close"]) ??
    said("customer", ["satisfaction"], steps?.start_ms ?? Number.POSITIVE_INFINITY);
  const thanks = said("agent", ["appreciation"], problem?.start_ms ?? -1);
  const farewell = said("agent", ["anything_else", "positive_close"]);
  return [
    check("greeted", view.position_ms > OPENING_MS, said("agent", ["greeting"])),
    check(
      "acknowledged",
      lastFeeling !== undefined,
      lastFeeling && said("agent", ["acknowledge_feeling", "apology"], lastFeeling.start_ms),
    ),
    check("restated", problem !== undefined, said("agent", ["paraphrase"])),
    check(
      "probed",
      problem !== undefined,
      said("agent", ["open_question", "probing_question"], problem?.start_ms ?? -1),
    ),
    check("planned", problem !== undefined, steps && time),
    check("closed", closing !== undefined, thanks && farewell),
  ];
}
