/** The numbers in a rule's condition, so that they can be changed without touching the rest. */

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly text: string; readonly unit: string };

/** A number that stands alone: not the digits of a name such as `interruptions.agent_60s`. */
const NUMBER = /(?<![A-Za-z0-9_.])(\d+(?:\.\d+)?)([a-z%]*)/g;

/** Split a condition into its numbers and what stands between them. */
export function pieces(source: string): readonly Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of source.matchAll(NUMBER)) {
    if (match.index > at) found.push({ kind: "text", text: source.slice(at, match.index) });
    found.push({ kind: "number", text: match[1] ?? "", unit: match[2] ?? "" });
    at = match.index + match[0].length;
  }
  if (at < source.length) found.push({ kind: "text", text: source.slice(at) });
  return found;
}

/** Put another number in the place of the nth one. */
export function withNumber(source: string, nth: number, value: string): string {
  let number = -1;
  return pieces(source)
    .map((piece) => {
      if (piece.kind === "text") return piece.text;
      number += 1;
      return `${number === nth ? value : piece.text}${piece.unit}`;
    })
    .join("");
}
