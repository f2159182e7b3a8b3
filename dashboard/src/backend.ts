/** Where events come from: the live server, or a saved call played again. */
import { Sequencer, type ServerMessage, type Sink } from "./sequence";
import { connect, type Line, NotFound, openLine, Refused, type Session, takeLine } from "./session";
import { reduceAll } from "./store";
import type { CallEvent } from "./types/events.gen";

export type Connection =
  | "connecting"
  | "ready"
  | "live"
  | "offline"
  | "ended"
  | "refused"
  | "replay";
export type Verdict = "up" | "down" | "justified" | "dismiss" | "snooze_5min" | "snooze_call";

export type ClientMessage =
  | { readonly type: "feedback"; readonly cue: string; readonly verdict: Verdict }
  | {
      readonly type: "promise";
      readonly promise: string;
      readonly verdict: "confirmed" | "edited" | "rejected";
      readonly what?: string;
      readonly due_at?: string;
    }
  | {
      readonly type: "acknowledge";
      readonly alert: string;
      readonly taken: boolean;
      readonly call_id: string;
    }
  | { readonly type: "nudge"; readonly text: string; readonly nudge: string }
  | { readonly type: "raise_hand"; readonly raised: boolean }
  | { readonly type: "pause_capture" | "resume_capture" };

export interface Listener extends Sink {
  connection(state: Connection): void;
}

export interface Backend {
  start(listener: Listener): void;
  send(message: ClientMessage): void;
  stop(): void;
}

/** How often a panel without a call looks for one, in milliseconds. */
const NEXT_CALL_MS = 1000;
/** How soon after a call it looks for the next, in milliseconds. */
const AFTER_CALL_MS = 2500;

/** Time before the next try: it doubles up to 10 s, with a random part so that all do not come at once. */
export class Backoff {
  private failures = 0;

  next(): number {
    const delay = Math.min(10_000, 500 * 2 ** this.failures);
    this.failures += 1;
    return delay * (0.75 + Math.random() / 2);
  }

  reset(): void {
    this.failures = 0;
  }
}

/** Follows one call, or one call after the other when the address names none. */
export class LiveBackend implements Backend {
  private socket: WebSocket | null = null;
  private stopped = false;
  /** Whether the call on screen is over; then the panel waits for the next live one. */
  private over = false;
  private readonly backoff = new Backoff();
  private readonly pinned: boolean;

  constructor(
    private readonly session: Session,
    private callId: string | null,
    private readonly as: "agent" | "watch" = "agent",
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
    if (this.stopped) return;
    try {
      const early = this.as === "agent" ? takeLine(this.callId) : null;
      const line = await (early ?? openLine(this.session, this.callId, this.as));
      if (line === null) {
        listener.connection(this.over ? "ended" : "ready");
        this.backoff.reset();
        this.retry(listener, NEXT_CALL_MS);
        return;
      }
      this.callId = line.callId;
      this.follow(listener, line);
    } catch (error) {
      listener.connection(error instanceof Refused ? "refused" : "offline");
      if (!(error instanceof Refused)) this.retry(listener, this.backoff.next());
    }
  }

  /** The call is over: unless the address names it, look out for the next one. */
  private finish(listener: Listener): void {
    this.over = true;
    this.socket?.close();
    if (this.pinned) return;
    this.callId = null;
    this.retry(listener, AFTER_CALL_MS);
  }

  private follow(listener: Listener, { socket, missed }: Line): void {
    const sequencer = new Sequencer({
      snapshot: (view, positionMs) => {
        this.backoff.reset();
        this.over = false;
        listener.connection("live");
        listener.snapshot(view, positionMs);
        if (view.ended) listener.connection("ended");
      },
      event: (event) => {
        listener.event(event);
        if (event.type === "call_ended") listener.connection("ended");
      },
      position: (atMs, levels) => listener.position(atMs, levels),
      watchers: (count) => listener.watchers(count),
      report: (link) => {
        listener.report(link);
        listener.connection("ended");
        this.finish(listener);
      },
    });
    if (this.stopped) socket.close();
    this.socket = socket;
    const take = (message: MessageEvent): void => {
      if (!sequencer.accept(JSON.parse(String(message.data)) as ServerMessage)) socket.close();
    };
    socket.onmessage = take;
    missed.forEach(take);
    socket.onclose = () => {
      if (this.stopped || this.over) return;
      listener.connection("offline");
      this.retry(listener, this.backoff.next());
    };
  }
}

/** Plays saved events at a pace of their own, from `fromMs` on; play, pause, speed and seek. */
export class StaticBackend implements Backend {
  private timer: ReturnType<typeof setInterval> | undefined;
  private listener: Listener | null = null;
  private next = 0;
  private atMs: number;
  private tickedAt = 0;
  speed = 1;

  constructor(
    private readonly events: readonly CallEvent[],
    fromMs = 0,
  ) {
    this.atMs = fromMs;
  }

  get durationMs(): number {
    return this.events.at(-1)?.at_ms ?? 0;
  }

  get playing(): boolean {
    return this.timer !== undefined;
  }

  start(listener: Listener): void {
    this.listener = listener;
    this.seek(this.atMs);
    this.play();
  }

  play(): void {
    if (this.playing) return;
    if (this.next >= this.events.length) this.seek(0);
    this.tickedAt = performance.now();
    this.timer = setInterval(() => this.tick(), 100);
    this.listener?.connection("replay");
  }

  pause(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.listener?.connection(this.next < this.events.length ? "replay" : "ended");
  }

  seek(atMs: number): void {
    this.atMs = atMs;
    this.next = this.events.findIndex((event) => event.at_ms > atMs);
    if (this.next < 0) this.next = this.events.length;
    this.listener?.snapshot(reduceAll(this.events.slice(0, this.next)), atMs);
  }

  private tick(): void {
    const now = performance.now();
    this.atMs += (now - this.tickedAt) * this.speed;
    this.tickedAt = now;
    for (let event = this.events[this.next]; event && event.at_ms <= this.atMs; ) {
      this.listener?.event(event);
      this.next += 1;
      event = this.events[this.next];
    }
    if (this.next < this.events.length) this.listener?.position(Math.round(this.atMs), {});
    else this.pause();
  }

  send(): void {}

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.listener = null;
  }
}

/** The events of a call that is over, in order. */
export async function savedEvents(session: Session, callId: string): Promise<readonly CallEvent[]> {
  await session.open();
  const socket = await connect(`/v1/calls/${encodeURIComponent(callId)}/events`, { as: "agent" });
  return new Promise((resolve, reject) => {
    socket.onmessage = (message) => {
      const content = JSON.parse(String(message.data)) as {
        readonly type: string;
        readonly events?: readonly CallEvent[];
      };
      if (content.type !== "snapshot") return;
      resolve(content.events ?? []);
      socket.close();
    };
    socket.onclose = () => reject(new NotFound(callId));
  });
}

/** Parse a saved `events.jsonl`. */
export function parseJsonLines(text: string): readonly CallEvent[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as CallEvent);
}
