import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseJsonLines } from "../backend";
import { reduceAll } from "../store";
import { iconNames } from "./icons";
import { drawLanes, type Frame, type LaneData, laneData, type Palette } from "./lanes";

interface Drawn {
  readonly what: "bar" | "text" | "line";
  readonly colour: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly text: string;
}

const palette: Palette = {
  agent: "agent",
  customer: "customer",
  mark: "mark",
  line: "line",
  label: "label",
  card: "card",
};

/** A canvas that writes down what is drawn on it. */
function draw(data: LaneData, frame: Partial<Frame> = {}): readonly Drawn[] {
  const drawn: Drawn[] = [];
  let shape: Omit<Drawn, "what" | "colour"> | null = null;
  let dashed = false;
  const context = {
    fillStyle: "",
    strokeStyle: "",
    measureText: (text: string) => ({ width: text.length * 7 }),
    beginPath: () => {
      shape = null;
    },
    roundRect: (x: number, y: number, width: number, height: number) => {
      shape = { x, y, width, height, text: "" };
    },
    moveTo: (x: number, y: number) => {
      shape ??= { x, y, width: 0, height: 0, text: "" };
    },
    setLineDash: (dash: readonly number[]) => {
      dashed = dash.length > 0;
    },
    fill: () => {
      if (shape) drawn.push({ ...shape, what: "bar", colour: context.fillStyle });
    },
    stroke: () => {
      if (shape) {
        const text = dashed ? "dashed" : "";
        drawn.push({ ...shape, what: "line", colour: context.strokeStyle, text });
      }
    },
    fillText: (text: string, x: number, y: number) => {
      drawn.push({ what: "text", colour: context.fillStyle, x, y, width: 0, height: 0, text });
    },
    clearRect: () => {},
    fillRect: () => {},
    lineTo: () => {},
    save: () => {},
    restore: () => {},
    clip: () => {},
  };
  drawLanes(
    context as unknown as CanvasRenderingContext2D,
    data,
    {
      fromMs: 0,
      toMs: 30_000,
      nowMs: 30_000,
      width: 680,
      height: 132,
      labels: true,
      rolling: true,
      ...frame,
    },
    palette,
  );
  return drawn;
}

function scene(name: string, seconds: number): LaneData {
  const events = parseJsonLines(readFileSync(`../tests/golden/${name}.jsonl`, "utf-8"));
  return laneData(reduceAll(events.filter((event) => event.at_ms <= seconds * 1000)));
}

function texts(drawn: readonly Drawn[]): readonly string[] {
  return drawn.filter(({ what }) => what === "text").map(({ text }) => text);
}

function bars(drawn: readonly Drawn[], colour: string): readonly Drawn[] {
  return drawn.filter((item) => item.what === "bar" && item.colour === colour);
}

describe("the two lanes", () => {
  it("have the customer above and the agent below, named, with time counted back", () => {
    const drawn = draw(scene("upset", 26), { fromMs: -4_000, toMs: 26_000, nowMs: 26_000 });
    const customer = Math.max(...bars(drawn, "customer").map(({ y }) => y));
    expect(customer).toBeLessThan(Math.min(...bars(drawn, "agent").map(({ y }) => y)));
    expect(texts(drawn)).toEqual(
      expect.arrayContaining(["Customer", "Agent", "−30 s", "−10 s", "now"]),
    );
  });

  it("mark who cut in with a word and a shape, and both at once with a pattern", () => {
    const drawn = draw(scene("upset", 26));
    expect(texts(drawn)).toContain("Agent cut in");
    const hatched = bars(drawn, "mark").find(({ width }) => width > 20);
    expect(hatched?.height).toBeGreaterThan(80);
    expect(drawn.filter((item) => item.what === "line" && item.colour === "mark")).toHaveLength(1);
    const calm = draw(scene("calm", 18));
    expect(texts(calm)).not.toContain("Customer cut in");
  });

  it("are thicker where a voice is raised, and say so", () => {
    const drawn = draw(scene("upset", 36), { fromMs: 6_000, toMs: 36_000, nowMs: 36_000 });
    const heights = new Set(bars(drawn, "customer").map(({ height }) => height));
    expect(Math.max(...heights)).toBeGreaterThan(1.5 * Math.min(...heights));
    expect(texts(drawn)).toContain("▲ raised");
  });

  it("show a silence with its length", () => {
    const quiet = draw({ ...scene("calm", 20), raised: [] }, { nowMs: 24_000 });
    expect(texts(quiet).some((text) => /^\d+ s$/.test(text))).toBe(true);
    expect(quiet.some(({ text }) => text === "dashed")).toBe(true);
  });

  it("are one lane, without blame, on one channel", () => {
    const drawn = draw(scene("one_channel", 13));
    expect(texts(drawn)).toContain("Call");
    expect(texts(drawn).some((text) => text.includes("cut in"))).toBe(false);
  });

  it("have no names on a card", () => {
    expect(texts(draw(scene("upset", 36), { labels: false }))).toEqual([]);
  });
});

describe("icons of cues", () => {
  it("come from a fixed vocabulary of about a dozen", () => {
    const folder = "../conversation/rules";
    const rules = readdirSync(folder).map((file) => readFileSync(`${folder}/${file}`, "utf-8"));
    const used = new Set(
      rules.flatMap((text) => [...text.matchAll(/^icon = "(.+)"$/gm)].map(([, name]) => name)),
    );
    expect(used.size).toBeGreaterThan(5);
    expect(used.size).toBeLessThanOrEqual(14);
    for (const name of used) expect(iconNames).toContain(name);
  });
});

/** Linear RGB of a colour `#rrggbb`. */
function linear(hex: string): readonly number[] {
  return [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

/** Lightness and opponents (CIE Lab, D65). */
function lab(rgb: readonly number[]): readonly number[] {
  const [r = 0, g = 0, b = 0] = rgb;
  const f = (t: number) => (t > 216 / 24_389 ? Math.cbrt(t) : (t * 24_389) / 27 / 116 + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Full dichromacy (Machado, Oliveira and Fernandes 2009, severity 1.0). */
const SEEN_BY: Readonly<Record<string, readonly (readonly number[])[]>> = {
  "normal sight": [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

describe("the palette", () => {
  const css = readFileSync("../reports/assets/tokens.css", "utf-8");
  const colour = (name: string, dark: boolean) => {
    const [, light, other] =
      css.match(new RegExp(`--${name}: light-dark\\((#\\w+), (#\\w+)\\)`)) ?? [];
    return (dark ? other : light) ?? "";
  };

  it.each(Object.keys(SEEN_BY))("tells agent from customer in %s, light and dark", (sight) => {
    for (const dark of [false, true]) {
      const seen = ["agent", "customer"].map((name) => {
        const rgb = linear(colour(name, dark));
        return lab(
          (SEEN_BY[sight] ?? []).map((row) => row.reduce((a, k, n) => a + k * (rgb[n] ?? 0), 0)),
        );
      });
      const apart = Math.hypot(...[0, 1, 2].map((n) => (seen[0]?.[n] ?? 0) - (seen[1]?.[n] ?? 0)));
      expect(apart).toBeGreaterThan(20);
    }
  });
});
