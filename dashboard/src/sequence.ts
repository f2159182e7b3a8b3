/** The server's messages put in order: queue before the snapshot, then no gap in `seq`. */
import type { CallEvent } from "./types/events.gen";

export type ServerMessage =
  | { readonly type: "hello"; readonly version: number }
  | {
      readonly type: "snapshot";
      readonly seq: number;
      readonly call_id: string;
      readonly position_ms: number;
      readonly events: readonly CallEvent[];
    }
  | { readonly type: "event"; readonly seq: number; readonly event: CallEvent }
  | { readonly type: "position"; readonly at_ms: number }
  | { readonly type: "report"; readonly url: string };

export interface Sink {
  snapshot(events: readonly CallEvent[], positionMs: number): void;
  event(event: CallEvent): void;
  position(atMs: number): void;
  report(url: string): void;
}

export class Sequencer {
  private seq: number | null = null;
  private waiting: ServerMessage[] = [];

  constructor(private readonly sink: Sink) {}

  /** Take one message; false means that events were lost and a new snapshot is needed. */
  accept(message: ServerMessage): boolean {
    if (message.type === "hello") return true;
    if (message.type === "snapshot") {
      this.seq = message.seq;
      this.sink.snapshot(message.events, message.position_ms);
      const waiting = this.waiting;
      this.waiting = [];
      return waiting.every((later) => this.accept(later));
    }
    if (this.seq === null) {
      this.waiting.push(message);
      return true;
    }
    if (message.type === "position") this.sink.position(message.at_ms);
    if (message.type === "report") this.sink.report(message.url);
    if (message.type === "event" && message.seq > this.seq) {
      if (message.seq !== this.seq + 1) return false;
      this.seq = message.seq;
      this.sink.event(message.event);
    }
    return true;
  }
}
