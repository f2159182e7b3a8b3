/** The server's messages put in order: queue before the snapshot, then no gap in `seq`. */
import type { CallEvent, CallView, Channel } from "./types/events.gen";

/** Newest level of speech by channel, in dB. */
export type Levels = Readonly<Partial<Record<Channel, number>>>;

export type ServerMessage =
  | { readonly type: "hello"; readonly version: number }
  | {
      readonly type: "snapshot";
      readonly seq: number;
      readonly call_id: string;
      readonly position_ms: number;
      readonly watchers: number;
      readonly view: CallView;
    }
  | { readonly type: "event"; readonly seq: number; readonly event: CallEvent }
  | { readonly type: "position"; readonly at_ms: number; readonly level_db: Levels }
  | { readonly type: "watchers"; readonly count: number }
  | { readonly type: "report"; readonly url: string };

export interface Sink {
  snapshot(view: CallView, positionMs: number): void;
  event(event: CallEvent): void;
  position(atMs: number, levels: Levels): void;
  watchers(count: number): void;
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
      this.sink.snapshot(message.view, message.position_ms);
      this.sink.watchers(message.watchers);
      const waiting = this.waiting;
      this.waiting = [];
      return waiting.every((later) => this.accept(later));
    }
    if (this.seq === null) {
      this.waiting.push(message);
      return true;
    }
    if (message.type === "position") this.sink.position(message.at_ms, message.level_db);
    if (message.type === "watchers") this.sink.watchers(message.count);
    if (message.type === "report") this.sink.report(message.url);
    if (message.type === "event" && message.seq > this.seq) {
      if (message.seq !== this.seq + 1) return false;
      this.seq = message.seq;
      this.sink.event(message.event);
    }
    return true;
  }
}
