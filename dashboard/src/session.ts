/** Signing in, and requests to the server that the page came from. */

/** The server does not know this browser. */
export class Refused extends Error {}

/** The server has no such thing. */
export class NotFound extends Error {}

export async function request<T>(path: string, body?: unknown): Promise<T> {
  const response = await fetch(
    path,
    body === undefined
      ? { credentials: "same-origin" }
      : {
          method: "POST",
          credentials: "same-origin",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        },
  );
  if (response.status === 401 || response.status === 403) throw new Refused(path);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
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
