/** Which screen an address asks for. */
export type Screen =
  | "panel"
  | "wall"
  | "call"
  | "calls"
  | "trends"
  | "rules"
  | "data"
  | "replay"
  | "gallery";

export interface Route {
  readonly screen: Screen;
  readonly id: string | null;
}

const SCREENS: ReadonlySet<string> = new Set([
  "wall",
  "call",
  "calls",
  "trends",
  "rules",
  "data",
  "replay",
  "gallery",
]);

/** Read `#wall`, `#call/ID`, or the agent panel's `#t=TOKEN&call=ID`. */
export function route(hash: string): Route {
  const [name = "", id] = hash.replace(/^#\/?/, "").split("/", 2);
  if (SCREENS.has(name)) {
    return { screen: name as Screen, id: id === undefined ? null : decodeURIComponent(id) };
  }
  return { screen: "panel", id: new URLSearchParams(hash.slice(1)).get("call") };
}
