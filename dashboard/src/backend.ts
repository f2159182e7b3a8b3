/** Where events come from: the live server, or a saved call played again. */
import { Sequencer, type ServerMessage, type Sink } from "./sequence";
import type { CallEvent } from "./types/events.gen";

export type Connection = "connecting" | "live" | "offline" | "ended" | "refused";
export type Verdict = "up" | "down" | "justified" | "dismiss" | "snooze_5min" | "snooze_call";

export type ClientMessage =
  | { readonly type: "feedback"; readonly cue: string; readonly verdict: Verdict }
  | { readonly type: "pause_capture" }
  | { readonly type: "resume_capture" };

export interface Listener extends Sink {
  connection(state: Connection): void;
}

export interface Backend {
  start(listener: Listener): void;
  send(message: ClientMessage): void;
  stop(): void;
}

interface CallSummary {
  readonly call_id: string;
  readonly live: boolean;
}

/** How often a panel without a call looks for one, in milliseconds. */
const NEXT_CALL_MS = 1000;

class Refused extends Error {}

/** Opening a session needs no token of one. */
const WITHOUT_SESSION = new Set(["/v1/session", "/v1/sign-in"]);

async function request<T>(path: string, body?: unknown): Promise<T> {
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

export class LiveBackend implements Backend {
  private socket: WebSocket | null = null;
  private stopped = false;
  /** Whether the call on screen is over; then the panel waits for the next live one. */
  private over = false;
  private failures = 0;
  private readonly pinned: boolean;

  constructor(
    private token: string | null,
    private callId: string | null,
  ) {
    this.pinned = callId !== null;
  }

  start(listener: Listener): void {
    void this.connect(listener);
  }

  send(message: ClientMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  stop(): void {
    this.stopped = true;
    this.socket?.close();
  }

  private retry(listener: Listener, delayMs: number): void {
    if (!this.stopped) setTimeout(() => void this.connect(listener), delayMs);
  }

  private async connect(listener: Listener): Promise<void> {
    let ticket: string;
    try {
      if (this.token !== null) {
        await request("/v1/session", { token: this.token });
        this.token = null;
        const clean = new URL(location.href);
        clean.hash = this.callId === null ? "" : `call=${encodeURIComponent(this.callId)}`;
        history.replaceState(null, "", clean);
      }
      if (this.callId === null) {
        const calls = await request<readonly CallSummary[]>("/v1/calls");
        this.callId = calls.find((call) => call.live)?.call_id ?? null;
      }
      if (this.callId === null) {
        listener.connection(this.over ? "ended" : "connecting");
        this.failures = 0;
        this.retry(listener, NEXT_CALL_MS);
        return;
      }
      ticket = (await request<{ readonly ticket: string }>("/v1/tickets", {})).ticket;
    } catch (error) {
      listener.connection(error instanceof Refused ? "refused" : "offline");
      if (!(error instanceof Refused)) this.retry(listener, this.backoff());
      return;
    }
    if (!this.stopped) this.open(listener, this.callId, ticket);
  }

  /** The call is over: unless the address names it, look out for the next one. */
  private finish(listener: Listener, socket: WebSocket): void {
    this.over = true;
    socket.close();
    if (this.pinned) return;
    this.callId = null;
    this.retry(listener, NEXT_CALL_MS);
  }

  private backoff(): number {
    const delay = Math.min(10_000, 500 * 2 ** this.failures);
    this.failures += 1;
    return delay * (0.75 + Math.random() / 2);
  }

  private open(listener: Listener, callId: string, ticket: string): void {
    const url = new URL(`/v1/calls/${encodeURIComponent(callId)}/events`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    const sequencer = new Sequencer({
      snapshot: (events, positionMs) => {
        this.failures = 0;
        this.over = false;
        listener.connection("live");
        listener.snapshot(events, positionMs);
        if (events.some((event) => event.type === "call_ended")) listener.connection("ended");
      },
      event: (event) => {
        listener.event(event);
        if (event.type === "call_ended") listener.connection("ended");
      },
      position: (atMs) => listener.position(atMs),
      report: (link) => {
        listener.report(link);
        listener.connection("ended");
        this.finish(listener, socket);
      },
    });
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "ticket", ticket }));
    socket.onmessage = (message) => {
      if (!sequencer.accept(JSON.parse(String(message.data)) as ServerMessage)) socket.close();
    };
    socket.onclose = () => {
      if (this.stopped || this.over) return;
      listener.connection("offline");
      this.retry(listener, this.backoff());
    };
  }
}

/** Plays saved events at their own pace, from `fromMs` on. */
export class StaticBackend implements Backend {
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly events: readonly CallEvent[],
    private readonly fromMs = 0,
  ) {}

  start(listener: Listener): void {
    const began = performance.now();
    let next = this.events.findIndex((event) => event.at_ms > this.fromMs);
    if (next < 0) next = this.events.length;
    listener.connection("live");
    listener.snapshot(this.events.slice(0, next), this.fromMs);
    this.timer = setInterval(() => {
      const now = this.fromMs + performance.now() - began;
      for (
        let event = this.events[next];
        event && event.at_ms <= now;
        event = this.events[++next]
      ) {
        listener.event(event);
      }
      if (next < this.events.length) listener.position(Math.round(now));
      else {
        listener.connection("ended");
        this.stop();
      }
    }, 200);
  }

  send(): void {}

  stop(): void {
    clearInterval(this.timer);
  }
}

/** Parse a saved `events.jsonl`. */
export function parseJsonLines(text: string): readonly CallEvent[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as CallEvent);
}
