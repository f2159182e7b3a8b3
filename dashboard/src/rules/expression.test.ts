import { describe, expect, it } from "vitest";
import { pieces, withNumber } from "./expression";

const WHEN = `interruptions.agent_60s >= 2 and overlap.p_backchannel < 0.3
  and (customer.voiced_ago_ms <= 160ms or count(customer.anger, 3turns) >= 1)`;

describe("the numbers of a condition", () => {
  it("are those that stand alone, with their units", () => {
    const found = pieces(WHEN).filter((piece) => piece.kind === "number");
    expect(found.map(({ text, unit }) => text + unit)).toEqual([
      "2",
      "0.3",
      "160ms",
      "3turns",
      "1",
    ]);
  });

  it("and the rest make up the whole condition again", () => {
    expect(withNumber(WHEN, -1, "9")).toBe(WHEN);
  });

  it("are changed one at a time", () => {
    expect(withNumber(WHEN, 2, "200")).toBe(WHEN.replace("160ms", "200ms"));
    expect(withNumber(WHEN, 0, "3")).toBe(WHEN.replace(">= 2", ">= 3"));
  });
});
