import type { Channel } from "./types/events.gen";

/** Every word on the screen, in one place, ready for translation. */
export const strings = {
  product: "Heartline",
  waiting: "Waiting for a call",
  listening: "Listening",
  speaking: { agent: "You are speaking", customer: "Customer is speaking", mixed: "Speech" },
  bothSpeaking: "Both are speaking",
  quiet: "Nobody is speaking",
  onHold: "On hold",
  channel: { agent: "Agent", customer: "Customer", mixed: "Call" } satisfies Record<
    Channel,
    string
  >,
  connection: {
    connecting: "Connecting",
    live: "Live",
    offline: "Offline",
    ended: "Call ended",
    refused: "Not signed in",
  },
  offline: "Connection lost – what you see is not current. Trying again …",
  refused: "This link is no longer valid. Start Heartline again and open the new link.",
  mixed: "Direction unknown: one channel only",
  paused: "Capture is paused – nothing is heard or kept",
  delay: (seconds: string) => `Transcript ${seconds} s behind`,
  report: "Open the report",
  callOver: "The call is over",
  resolved: "Done",
  lanes: "Who spoke in the last 30 seconds",
  cutIn: (who: Channel) => `${strings.channel[who]} cut in`,
  transcript: "Transcript",
  noWords: "Words appear here as they are spoken",
  notTranscribed: "This call is not transcribed; timing and voice only",
  notDecoded: "(not understood)",
  redacted: (kind: string) => `Hidden: ${kind}`,
  follow: "Back to now",
  unknown: "–",
  gauges: {
    share: "Your talk share",
    pace: "Your pace",
    interruptions: "Your interruptions",
    silence: "Longest silence",
  },
  perMinute: "wpm",
  seconds: "s",
  feedback: {
    up: "Helpful (U)",
    down: "Not helpful (D)",
    dismiss: "Dismiss (X)",
    snooze_5min: "Snooze 5 min (S)",
    snooze_call: "Snooze this call (Shift S)",
  },
  snoozeShort: { snooze_5min: "5 min", snooze_call: "This call" },
  pause: "Pause capture (P)",
  resume: "Resume capture (P)",
  currentCue: "Current cue",
};

/** Milliseconds as a clock, `m:ss`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
