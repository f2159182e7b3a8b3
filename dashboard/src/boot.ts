/** What a page needs first, asked for while its screens are still being read. */
import { type Route, route } from "./route";
import { openEarly, Session } from "./session";

function arrive(): { readonly session: Session; readonly at: Route } {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const session = new Session(wanted.get("t"));
  if (wanted.has("t")) {
    wanted.delete("t");
    const rest = wanted.get("go") ?? wanted.toString();
    history.replaceState(null, "", `${location.pathname}${rest === "" ? "" : `#${rest}`}`);
  }
  return { session, at: route(location.hash) };
}

const arrived = arrive();
export const session = arrived.session;
export const landing = arrived.at;
if (landing.screen === "panel") openEarly(session, landing.id);
