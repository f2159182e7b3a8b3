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
    headers["X-Heartline-CSRF"] = (await land()).me?.csrf ?? "";
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

interface Landing {
  readonly me: Me | null;
  readonly users: boolean;
  readonly live: string | null;
  readonly ticket: string | null;
}

let asked: Promise<Landing> | null = null;

/** What a page needs first, asked once and again after signing in or a refusal. */
function land(): Promise<Landing> {
  asked ??= request<Landing>("/v1/landing");
  return asked;
}

/** Return who is signed in; null for a stranger on a server that has users. */
export async function whoAmI(): Promise<Me | null> {
  const { me, users } = await land();
  if (me === null && !users) throw new Refused("/v1/landing");
  return me;
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

/** Open a socket and say who we are; `wishes` go with the ticket. */
export async function connect(
  path: string,
  wishes: Readonly<Record<string, string>> = {},
  known?: string,
): Promise<WebSocket> {
  const ticket = known ?? (await request<Ticket>("/v1/tickets", {})).ticket;
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(JSON.stringify({ type: "ticket", ticket, ...wishes }));
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

/** Open the line to a call, or to the newest live one; null when there is none. */
export async function openLine(
  session: Session,
  callId: string | null,
  as: "agent" | "watch",
): Promise<Line | null> {
  await session.open();
  let chosen = callId;
  if (chosen === null) {
    const calls = await request<readonly CallSummary[]>("/v1/calls");
    chosen = calls.find((call) => call.live)?.call_id ?? null;
  }
  return chosen === null ? null : pickUp(chosen, as);
}

/** Open the line with what the first answer brought: the call and the ticket. */
async function landOnLine(session: Session, callId: string | null): Promise<Line | null> {
  await session.open();
  const { me, live, ticket } = await land();
  if (me === null || ticket === null) throw new Refused("/v1/landing");
  const chosen = callId ?? live;
  return chosen === null ? null : pickUp(chosen, "agent", ticket);
}

async function pickUp(callId: string, as: "agent" | "watch", ticket?: string): Promise<Line> {
  const path = `/v1/calls/${encodeURIComponent(callId)}/events`;
  const socket = await connect(path, { as, snapshot: "view" }, ticket);
  const missed: MessageEvent[] = [];
  socket.onmessage = (message) => missed.push(message);
  return { callId, socket, missed };
}

let early: { readonly callId: string | null; readonly line: Promise<Line | null> } | null = null;

/** Open the agent's line before there is a panel. */
export function openEarly(session: Session, callId: string | null): void {
  const line = landOnLine(session, callId);
  line.catch(() => undefined);
  early = { callId, line };
}

/** The line that was opened early; the first who asks for that call gets it. */
export function takeLine(callId: string | null): Promise<Line | null> | null {
  const found = early?.callId === callId ? early.line : null;
  early = null;
  return found;
}
