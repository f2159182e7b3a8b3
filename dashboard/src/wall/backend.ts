/** The wall's source: `/v1/live`, opened again whenever it is lost. */
import { Backoff, type ClientMessage, type Connection } from "../backend";
import { connect, Refused, type Session } from "../session";
import type { WallMessage } from "./store";

export interface WallListener {
  connection(state: Connection): void;
  message(message: WallMessage): void;
}

export interface WallBackend {
  start(listener: WallListener): void;
  send(message: ClientMessage): void;
  stop(): void;
}

export class LiveWall implements WallBackend {
  private socket: WebSocket | null = null;
  private stopped = false;
  private seq = -1;
  private readonly backoff = new Backoff();

  constructor(private readonly session: Session) {}

  start(listener: WallListener): void {
    void this.open(listener);
  }

  send(message: ClientMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  stop(): void {
    this.stopped = true;
    this.socket?.close();
  }

  private async open(listener: WallListener): Promise<void> {
    if (this.stopped) return;
    try {
      await this.session.open();
      const socket = await connect("/v1/live");
      if (this.stopped) socket.close();
      this.socket = socket;
      socket.onmessage = (event) => {
        const message = JSON.parse(String(event.data)) as WallMessage;
        if (message.type === "hello") return;
        if (message.type === "snapshot") {
          this.backoff.reset();
          listener.connection("live");
        } else if (message.seq <= this.seq) return;
        this.seq = message.seq;
        listener.message(message);
      };
      socket.onclose = () => this.again(listener, "offline");
    } catch (error) {
      if (error instanceof Refused) listener.connection("refused");
      else this.again(listener, "offline");
    }
  }

  private again(listener: WallListener, state: Connection): void {
    if (this.stopped) return;
    listener.connection(state);
    setTimeout(() => void this.open(listener), this.backoff.next());
  }
}
