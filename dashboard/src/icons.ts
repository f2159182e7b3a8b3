import { svg, type TemplateResult } from "lit";

/** The fixed vocabulary of cue icons: strokes on a 24 × 24 grid. */
const paths: Readonly<Record<string, string>> = {
  heart:
    "M12 20s-7.5-4.6-9-9.3C1.8 6.6 6.5 3.8 9.6 6.3L12 8.6l2.4-2.3c3.1-2.5 7.8.3 6.6 4.4C19.5 15.4 12 20 12 20z",
  ear: "M7 9a5 5 0 0 1 10 0c0 3.5-3.5 4.5-3.5 8a3 3 0 0 1-5.5 1.6M10 9.5a2 2 0 0 1 4 0c0 1.5-1.5 2-1.5 3",
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11V4a1.5 1.5 0 0 1 3 0v7V5.5a1.5 1.5 0 0 1 3 0V14c0 4-2.5 7-6 7-2.5 0-4-1.2-5.2-3.2L4 14.5a1.5 1.5 0 0 1 2.5-1.6L8 14.5",
  pause: "M9 5v14M15 5v14",
  clock: "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18zM12 7.5V12l3 2",
  pace: "M4 17a8 8 0 1 1 16 0M12 17l4-5",
  volume: "M4 10v4h3.5L12 18V6L7.5 10zM15.5 9.5a4 4 0 0 1 0 5M18 7a7.5 7.5 0 0 1 0 10",
  question: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5v.1",
  repeat: "M4 11a7 7 0 0 1 12-4l3 3M19 5v5h-5M20 13a7 7 0 0 1-12 4l-3-3M5 19v-5h5",
  promise: "M4 12.5l5 5L20 6.5",
  speech: "M4 5h16v11H11l-4.5 4v-4H4z",
  calm: "M3 9c3-3 6 3 9 0s6 3 9 0M3 15c3-3 6 3 9 0s6 3 9 0",
};

/** Words in a rule's name that tell which icon fits when the rule names none. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/interrupt|finish|cut|floor|overlap/, "hand"],
  [/silence|wait|hold|dead_air/, "clock"],
  [/pace|fast|slow/, "pace"],
  [/raised|loud|voice|volume/, "volume"],
  [/question|probe|ask/, "question"],
  [/repeat|restate|recap/, "repeat"],
  [/promise|plan|next_step/, "promise"],
  [/monologue|talk|listen/, "ear"],
  [/calm|escalat|tense/, "calm"],
];

export function cueIcon(icon: string | null, rule: string): TemplateResult {
  const name =
    icon !== null && icon in paths
      ? icon
      : (hints.find(([word]) => word.test(rule))?.[1] ?? "heart");
  return svg`<path d=${paths[name] ?? ""}></path>`;
}

/** A thumb pointing up; turned over by style for the opposite. */
export const thumb: TemplateResult = svg`<path d="M7 11l4-7.500a2 2 0 0 1 3 2L13.300 10H18a2 2 0 0 1 2 2.400l-1.200 6A2 2 0 0 1 16.800 20H7zM7 11H4v9h3"></path>`;
