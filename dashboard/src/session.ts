/** Signing in, and requests to the server that the page came from. */

/** The server does not know this browser. */
export class Refused extends Error {}

/** The server has no such thing. */
export class NotFound extends Error {}

/** The server says why it cannot, in a sentence for people. */
export class Failed extends Error {
  constructor(
    path: string,
    readonly status: number,
    readonly reason: string | null,
  ) {
    super(`${path} answered ${status}`);
  }
}

async function reason(response: Response): Promise<string | null> {
  try {
    return ((await response.json()) as { readonly detail?: string }).detail ?? null;
  } catch {
    return null;
  }
}

/** Opening a session needs no token of one. */
const WITHOUT_SESSION = new Set(["/v1/session", "/v1/sign-in"]);

export async function request<T>(path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (body !== undefined && !WITHOUT_SESSION.has(path)) {
    headers["X-Heartline-CSRF"] = (await me()).csrf ?? "";
  }
  const response = await fetch(
    path,
    body === undefined
      ? { credentials: "same-origin" }
      : { method: "POST", credentials: "same-origin", headers, body: JSON.stringify(body) },
  );
  if (response.status === 401 || response.status === 403) {
    asked = null;
    throw new Refused(path);
  }
  if (!response.ok) throw new Failed(path, response.status, await reason(response));
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
}

/** Who this page belongs to, and what it may offer. */
export interface Me {
  readonly name: string;
  readonly role: string;
  readonly actions: readonly string[];
  /** Goes with every change. */
  readonly csrf: string | null;
}

let asked: Promise<Me> | null = null;

/** Who this page belongs to, asked once and again after signing in or a refusal. */
export function me(): Promise<Me> {
  asked ??= request<Me>("/v1/me");
  return asked;
}

/** Return who is signed in; null for a stranger on a server that has users. */
export async function whoAmI(): Promise<Me | null> {
  try {
    return await me();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { users } = await request<{ readonly users: boolean }>("/v1/sign-in");
    if (users) return null;
    throw error;
  }
}

/** How people sign in here; nothing at all when the server cannot be asked. */
export async function waysIn(): Promise<{ readonly users: boolean; readonly provider: boolean }> {
  try {
    return await request("/v1/sign-in");
  } catch {
    return { users: false, provider: false };
  }
}

/** Open a session by name and password. */
export async function signIn(
  name: string,
  password: string,
): Promise<"in" | "wrong" | "later" | "offline"> {
  try {
    const answer = await fetch("/v1/sign-in", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name, password }),
    });
    asked = null;
    if (answer.status === 429) return "later";
    return answer.ok ? "in" : "wrong";
  } catch {
    return "offline";
  }
}

/** The one-time token of the address, exchanged once for a cookie before anything else. */
export class Session {
  private opening: Promise<void> | null = null;

  constructor(private token: string | null) {}

  open(): Promise<void> {
    this.opening ??= this.exchange().catch((error: unknown) => {
      this.opening = null;
      throw error;
    });
    return this.opening;
  }

  private async exchange(): Promise<void> {
    if (this.token === null) return;
    await request("/v1/session", { token: this.token });
    this.token = null;
  }
}

interface Ticket {
  readonly ticket: string;
}

/** Ask for a ticket that opens one socket within half a minute. */
export function askForTicket(): Promise<Ticket> {
  return request<Ticket>("/v1/tickets", {});
}

/** Open a socket and say who we are; `wishes` go with the ticket.
 *
 * A ticket that is on its way already lets the socket open beside it.
 */
export async function connect(
  path: string,
  wishes: Readonly<Record<string, string>> = {},
  early?: Promise<Ticket>,
): Promise<WebSocket> {
  const ticket = early ?? askForTicket();
  if (early === undefined) await ticket;
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  const socket = new WebSocket(url);
  socket.onopen = () =>
    void ticket.then(
      (answer) => socket.send(JSON.stringify({ type: "ticket", ticket: answer.ticket, ...wishes })),
      () => socket.close(),
    );
  return socket;
}

export interface CallSummary {
  readonly call_id: string;
  readonly started_at: string;
  readonly agent: string | null;
  readonly live: boolean;
  readonly duration_ms: number;
  /** How often each cue was shown and each kind of overlap happened. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** A socket to one call, and what it said before anybody listened. */
export interface Line {
  readonly callId: string;
  readonly socket: WebSocket;
  readonly missed: MessageEvent[];
}

interface Landing {
  readonly me: Me;
  readonly live: string | null;
  readonly ticket: string;
}

/** Open the line to a call, or to the newest live one; null when there is none.
 *
 * The first one takes who is there, the call and the ticket in a single answer.
 */
export async function openLine(
  session: Session,
  callId: string | null,
  as: "agent" | "watch",
  first: boolean,
): Promise<Line | null> {
  await session.open();
  let chosen = callId;
  let ticket: Promise<Ticket> | undefined;
  if (first) {
    const landing = request<Landing>("/v1/landing");
    asked ??= landing.then((answer) => answer.me);
    asked.catch(() => undefined);
    ticket = landing;
    const { live } = await landing;
    chosen ??= live;
  } else if (chosen === null) {
    const calls = await request<readonly CallSummary[]>("/v1/calls");
    chosen = calls.find((call) => call.live)?.call_id ?? null;
  }
  if (chosen === null) return null;
  const path = `/v1/calls/${encodeURIComponent(chosen)}/events`;
  const socket = await connect(path, { as, snapshot: "view" }, ticket);
  const missed: MessageEvent[] = [];
  socket.onmessage = (message) => missed.push(message);
  return { callId: chosen, socket, missed };
}

let early: { readonly callId: string | null; readonly line: Promise<Line | null> } | null = null;

/** Open the agent's line before there is a panel. */
export function openEarly(session: Session, callId: string | null): void {
  const line = openLine(session, callId, "agent", true);
  line.catch(() => undefined);
  early = { callId, line };
}

/** The line that was opened early; the first who asks for that call gets it. */
export function takeLine(callId: string | null): Promise<Line | null> | null {
  const found = early?.callId === callId ? early.line : null;
  early = null;
  return found;
}
