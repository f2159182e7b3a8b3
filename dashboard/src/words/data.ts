/** The words of the page about what is stored of oneself. */
export const words = {
  title: "My data",
  hint: "What Heartline stores about you, and what you can do about it.",
  stored: "What is stored",
  account: "Your sign-in",
  accountText: (name: string, role: string, teams: string) =>
    teams === "" ? `${name}, ${role}` : `${name}, ${role}, ${teams}`,
  local: "Nobody signs in on this machine: everything on it is yours.",
  carries: (agent: string) => `Calls carry the name ${agent}.`,
  calls: "Calls",
  callsText: (count: number, hours: string, first: string, last: string) =>
    `${count === 1 ? "1 call" : `${count} calls`}, ${hours}, from ${first} to ${last}`,
  noCalls: "None",
  events: "What was heard in them",
  eventsText: (count: string) =>
    `${count} moments: words, turns, cues and answers, figures of voice and pace`,
  disputes: "Disputes",
  audit: "What you did and looked at",
  auditText: (count: string) => `${count} entries of the audit log`,
  sessions: "Browsers you are signed in with",
  held: (count: number) => `${count} of them are kept by a legal hold.`,
  kept: "How long",
  keptText: (events: number, calls: number) =>
    `Words and moments for ${events} days, that there was a call for ${calls} days. Then they are deleted for good.`,
  never: "What is never stored",
  neverList: [
    "Judgements of your voice: only timing, loudness against your own usual, pace and words are measured.",
    "Whether you muted cues, hid the panel or used quiet mode: that stays in your browser.",
    "Card, phone and account numbers: they are hidden before anything is written.",
    "Anything said while capture is paused.",
  ],
  take: "Take it with you",
  takeText:
    "One archive with your calls, your own words, the cues you saw and your answers, your promises, figures, disputes and your entries in the audit log. What customers said is theirs and is not in it.",
  download: "Download my data",
  erase: "Ask for erasure",
  eraseText:
    "Asks whoever answers for this server to erase your calls for good. They decide, because some calls may have to be kept; you see here what became of it.",
  eraseLocal:
    "Notes down that all calls on this machine are to be erased. You then confirm it below.",
  ask: "Ask to erase my calls",
  askSure: (count: number) => `Ask to have ${count === 1 ? "1 call" : `${count} calls`} erased?`,
  yes: "Yes, ask",
  cancel: "Cancel",
  mine: "Your requests",
  state: {
    open: "waiting for a decision",
    done: "erased",
    declined: "declined",
  } as Readonly<Record<string, string>>,
  certificate: (id: string) => `certificate ${id}`,
  others: "Requests of others",
  decide: "Requests to decide",
  noRequests: "Nobody waits for a decision.",
  doErase: "Erase",
  decline: "Decline",
  sure: (name: string) => `Erase all calls of ${name} for good? This cannot be undone.`,
  sureYes: "Erase for good",
  failed: "That could not be done.",
};
