/** Signing in, and requests to the server that the page came from. */

/** The server does not know this browser. */
export class Refused extends Error {}

/** The server has no such thing. */
export class NotFound extends Error {}

/** Opening a session needs no token of one. */
const WITHOUT_SESSION = new Set(["/v1/session", "/v1/sign-in"]);

export async function request<T>(path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (body !== undefined && !WITHOUT_SESSION.has(path)) {
    const me = await request<{ readonly csrf: string | null }>("/v1/me");
    headers["X-Heartline-CSRF"] = me.csrf ?? "";
  }
  const response = await fetch(
    path,
    body === undefined
      ? { credentials: "same-origin" }
      : { method: "POST", credentials: "same-origin", headers, body: JSON.stringify(body) },
  );
  if (response.status === 401 || response.status === 403) throw new Refused(path);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
}

/** Who this page belongs to, and what it may offer. */
export interface Me {
  readonly name: string;
  readonly role: string;
  readonly actions: readonly string[];
}

/** Return who is signed in; null for a stranger on a server that has users. */
export async function whoAmI(): Promise<Me | null> {
  try {
    return await request<Me>("/v1/me");
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

/** Open a socket and say who we are; `wishes` go with the ticket. */
export async function connect(
  path: string,
  wishes: Readonly<Record<string, string>> = {},
  asked: Promise<Ticket> = askForTicket(),
): Promise<WebSocket> {
  const { ticket } = await asked;
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(JSON.stringify({ type: "ticket", ticket, ...wishes }));
  return socket;
}
