// The page of the tone coach: sends the reply, shows what was found, keeps nothing.
const NAMES = {
  avoid_phrase: "Shuts the customer out",
  blame: "Puts the fault on the customer",
  closes_door: "Ends the conversation",
  over_promise: "Promises what nobody can be sure of",
  vague_time: "No time to plan with",
  canned_empathy: "Fits any complaint",
  no_acknowledgement: "Goes past what they feel",
  no_next_step: "Does not say what happens next",
};
const GAPS = new Set(["no_acknowledgement", "no_next_step"]);
const at = (id) => document.getElementById(id);

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = at("asked").value.trim();
  const text = at("reply").value;
  const context = asked ? [{ speaker: "customer", text: asked }] : [];
  try {
    const me = await fetch("/v1/me");
    const csrf = me.ok ? ((await me.json()).csrf ?? "") : "";
    const answer = await fetch("/v1/tone", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Heartline-CSRF": csrf },
      body: JSON.stringify({ text, context }),
    });
    if (answer.status === 401) throw new Error("Open the address that heartline printed, then come back.");
    if (!answer.ok) throw new Error((await answer.json()).detail ?? "The server could not check this.");
    show(text, (await answer.json()).findings);
    at("problem").hidden = true;
  } catch (error) {
    at("problem").textContent = error.message;
    at("problem").hidden = false;
  }
});

function show(text, findings) {
  const marked = at("marked");
  marked.replaceChildren();
  let done = 0;
  for (const f of findings.filter((f) => !GAPS.has(f.kind))) {
    if (f.start < done) continue;
    const mark = document.createElement("mark");
    mark.textContent = slice(text, f.start, f.end);
    mark.title = NAMES[f.kind] ?? f.kind;
    marked.append(slice(text, done, f.start), mark);
    done = f.end;
  }
  marked.append(slice(text, done));
  at("findings").replaceChildren(...findings.map(item));
  if (findings.length === 0) at("findings").textContent = "Nothing in it reads as a brush-off.";
  at("result").hidden = false;
}

// Offsets count characters, which JavaScript strings do not.
function slice(text, start, end) {
  return [...text].slice(start, end).join("");
}

function item(finding) {
  const li = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = NAMES[finding.kind] ?? finding.kind;
  const better = document.createElement("div");
  better.className = "better";
  better.textContent = finding.better_wording.join("  ·  ");
  li.append(name, `. ${finding.why}`, better);
  return li;
}
