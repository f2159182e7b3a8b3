/** The fixed vocabulary of icons: strokes on a 24 × 24 grid, drawn for this project. */
import { html, svg, type TemplateResult } from "lit";

const paths = {
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11V4a1.5 1.5 0 0 1 3 0v7V5.5a1.5 1.5 0 0 1 3 0V14c0 4-2.5 7-6 7-2.5 0-4-1.2-5.2-3.2L4 14.5a1.5 1.5 0 0 1 2.5-1.6L8 14.5",
  pause: "M9 5v14M15 5v14",
  clock: "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18zM12 7.5V12l3 2",
  speed: "M4 17a8 8 0 1 1 16 0M12 17l4-5",
  heart:
    "M12 20s-7.5-4.6-9-9.3C1.8 6.6 6.5 3.8 9.6 6.3L12 8.6l2.4-2.3c3.1-2.5 7.8.3 6.6 4.4C19.5 15.4 12 20 12 20z",
  speech: "M4 5h16v11H11l-4.500 4v-4H4z",
  calendar: "M5 6h14v14H5zM5 10.500h14M9 3.500V8M15 3.500V8",
  ear: "M7 9a5 5 0 0 1 10 0c0 3.5-3.5 4.5-3.5 8a3 3 0 0 1-5.500 1.600M10 9.500a2 2 0 0 1 4 0c0 1.500-1.500 2-1.500 3",
  volume: "M4 10v4h3.500L12 18V6L7.500 10zM15.500 9.500a4 4 0 0 1 0 5M18 7a7.500 7.500 0 0 1 0 10",
  question: "M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 17.500v.100",
  repeat: "M4 11a7 7 0 0 1 12-4l3 3M19 5v5h-5M20 13a7 7 0 0 1-12 4l-3-3M5 19v-5h5",
  check: "M4.500 12.500l5 5L20 6.500",
  person:
    "M12 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8zM4.500 20c.8-3.800 3.800-5.500 7.500-5.500s6.700 1.700 7.500 5.500",
  thumb:
    "M7 11l4-7.500a2 2 0 0 1 3 2L13.300 10H18a2 2 0 0 1 2 2.400l-1.200 6A2 2 0 0 1 16.800 20H7zM7 11H4v9h3",
  cross: "M6 6l12 12M18 6L6 18",
  shield:
    "M12 3l7.500 3v5.500c0 4.500-3 8-7.500 9.500c-4.500-1.500-7.500-5-7.500-9.500V6zM8.800 12l2.300 2.300l4.200-4.500",
  snooze: "M7 5h7l-7 8h7M14.500 13.500H19l-4.500 5.500H19",
  record: "M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16zM10 9v6M14 9v6",
  raise: "M12 20v-8M8.500 15.500L12 12l3.500 3.500M5 8.500h14M5 5h14",
  bell: "M6.500 16.500V11a5.500 5.500 0 0 1 11 0v5.500l1.500 1.500H5zM10 20.500h4",
  mute: "M6.500 16.500V11a5.500 5.500 0 0 1 8-4.900M17.500 11v5.500l1.500 1.500H8M10 20.500h4M4 4l16 16",
  quiet: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10z",
  edit: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  eye: "M2.500 12c2.500-4.500 6-6.500 9.500-6.500s7 2 9.500 6.500c-2.500 4.500-6 6.500-9.500 6.500s-7-2-9.500-6.500zM12 9a3 3 0 1 0 0 6a3 3 0 1 0 0-6z",
  panel: "M4 5h16v14H4zM4 10h16",
  wall: "M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z",
  list: "M8.500 6.500H20M8.500 12H20M8.500 17.500H20M4.500 6.500v.010M4.500 12v.010M4.500 17.500v.010",
  rules:
    "M5 7h7M17 7h2M5 17h2M12 17h7M14.500 4.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 1 0 0-5zM9.500 14.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 1 0 0-5z",
  trends: "M4 19.500h16M5.500 15.500l4-5l4 3l5.500-8",
  download: "M12 4v11M7.500 10.500L12 15l4.500-4.500M5 19.500h14",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  search: "M10.500 4.500a6 6 0 1 0 0 12a6 6 0 1 0 0-12zM15 15l5 5",
  back: "M14.500 5.500L8 12l6.500 6.500",
  play: "M8 5.500v13l10.500-6.500z",
  down: "M12 5v14M6.500 13.500L12 19l5.500-5.500",
  offline:
    "M4 4l16 16M5 11a10 10 0 0 1 4-2.300M19 11a10 10 0 0 0-6-2.900M8.500 14.500a5 5 0 0 1 5-1.300M12 18.500v.010",
  up: "M12 19V5M6.500 10.500L12 5l5.500 5.500",
} as const;

export type IconName = keyof typeof paths;
export const iconNames = Object.keys(paths) as readonly IconName[];

/** An icon, hidden from assistive technology: the text beside it, or a label, says the same. */
export function icon(name: IconName, size = 18): TemplateResult {
  return html`<svg class="icon icon-${name}" viewBox="0 0 24 24" width=${size} height=${size}
    aria-hidden="true">${svg`<path d=${paths[name]}></path>`}</svg>`;
}

/** Words in a rule's name that tell which icon fits when the rule names none. */
const hints: readonly (readonly [RegExp, IconName])[] = [
  [/talk_over|barge|finish/, "hand"],
  [/air|silence|hold|slow_reply|quiet|repeat_talk/, "clock"],
  [/pace/, "speed"],
  [/raised|volume/, "volume"],
  [/question|probe|too_soon/, "question"],
  [/repeat|paraphrase|close/, "repeat"],
  [/promise|plan|time|own_it/, "calendar"],
  [/monologue|share|give_floor/, "pause"],
  [/phrase|canned|apology/, "speech"],
  [/vulnerable|abuse|consent|card/, "shield"],
  [/escalation/, "person"],
];

export function cueIcon(named: string | null, rule: string): IconName {
  if (named !== null && named in paths) return named as IconName;
  return hints.find(([word]) => word.test(rule))?.[1] ?? "heart";
}
