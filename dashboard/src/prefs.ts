/** What this browser remembers of its user: appearance and quietness. Nobody else sees it. */
export interface Prefs {
  readonly theme: "auto" | "light" | "dark";
  readonly muted: boolean;
  readonly quiet: boolean;
  /** Whether single keys act; WCAG 2.1.4 asks that they can be switched off. */
  readonly keys: boolean;
  readonly wallView: "cards" | "table";
  readonly mutedRules: readonly string[];
}

const KEY = "heartline";
const defaults: Prefs = {
  theme: "auto",
  muted: false,
  quiet: false,
  keys: true,
  wallView: "cards",
  mutedRules: [],
};

function read(): Prefs {
  try {
    const saved: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { ...defaults, ...(saved as Partial<Prefs>) };
  } catch {
    return defaults;
  }
}

class PrefStore extends EventTarget {
  value: Prefs = read();

  set(changes: Partial<Prefs>): void {
    this.value = { ...this.value, ...changes };
    localStorage.setItem(KEY, JSON.stringify(this.value));
    this.apply();
    this.dispatchEvent(new Event("change"));
  }

  /** Put the theme on the page. */
  apply(): void {
    const { theme } = this.value;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
}

export const prefs = new PrefStore();
