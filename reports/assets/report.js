// Zoom with the wheel and the keyboard, playing along with a recording from the reader's disk, and
// disputes where a server takes them. The report reads without it.
(() => {
  const scroll = document.querySelector(".scroll");
  const picture = scroll?.querySelector("svg");
  let zoom = 1;
  const set = (wanted, share) => {
    const at = scroll.scrollLeft + share * scroll.clientWidth;
    const before = picture.clientWidth;
    zoom = Math.min(64, Math.max(1, wanted));
    picture.style.width = `${zoom * 100}%`;
    scroll.scrollLeft = (at / before) * picture.clientWidth - share * scroll.clientWidth;
  };
  if (picture) {
    for (const radio of document.querySelectorAll(".timeline > input")) {
      radio.addEventListener("change", () => set(Number(radio.value), 0.5));
    }
    scroll.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const box = scroll.getBoundingClientRect();
      set(zoom * (event.deltaY < 0 ? 1.25 : 0.8), (event.clientX - box.left) / box.width);
    }, { passive: false });
    scroll.addEventListener("keydown", (event) => {
      if (event.key === "+") set(zoom * 1.5, 0.5);
      else if (event.key === "-") set(zoom / 1.5, 0.5);
    });
  }
  const player = document.querySelector(".player");
  const audio = player?.querySelector("audio");
  if (player) {
    player.hidden = false;
    const chooser = player.querySelector("input");
    const said = player.querySelector("[role=status]");
    const durationMs = Number(document.querySelector(".timeline").dataset.duration);
    const head = document.createElementNS("http://www.w3.org/2000/svg", "line");
    head.setAttribute("class", "playhead");
    head.setAttribute("y1", "0");
    head.setAttribute("y2", "100%");
    chooser.addEventListener("change", () => {
      const [file] = chooser.files;
      if (!file) return;
      URL.revokeObjectURL(audio.src);
      audio.src = URL.createObjectURL(file);
      audio.hidden = false;
    });
    audio.addEventListener("loadedmetadata", () => {
      const close = Math.abs(audio.duration * 1000 - durationMs) <= 2000;
      said.textContent = close ? said.dataset.hint : said.dataset.differs;
      picture?.append(head);
    });
    audio.addEventListener("error", () => {
      said.textContent = said.dataset.failed;
      audio.hidden = true;
    });
    const lines = [...document.querySelectorAll(".transcript li")];
    audio.addEventListener("timeupdate", () => {
      const atMs = audio.currentTime * 1000;
      for (const end of ["x1", "x2"]) head.setAttribute(end, `${(100 * atMs) / durationMs}%`);
      for (const line of lines) {
        const { at, end } = line.dataset;
        line.classList.toggle("playing", Number(at) <= atMs && atMs < Number(end));
      }
    });
    // A little before, so that what led to the moment is heard.
    const leadMs = 1500;
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href^='#']");
      if (!link || audio.hidden) return;
      const id = link.getAttribute("href").slice(1);
      const place = document.getElementById(id);
      const named = /^at-(\d+)$/.exec(id)?.[1];
      const at = named ?? place?.closest("[data-at]")?.dataset.at;
      if (at === undefined) return;
      audio.currentTime = Math.max(0, Number(at) - leadMs) / 1000;
      audio.play();
    });
  }
  for (const button of document.querySelectorAll("button[data-verdict]")) {
    button.addEventListener("click", async () => {
      const { call, span, verdict } = button.dataset;
      const me = await fetch("/v1/me", { credentials: "same-origin" }).then((r) => r.json());
      const answer = await fetch(`/v1/calls/${encodeURIComponent(call)}/disputes`, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json", "X-Heartline-CSRF": me.csrf ?? "" },
        body: JSON.stringify({ span, verdict }),
      });
      if (answer.ok) location.reload();
      else button.textContent = button.dataset.failed;
    });
  }
})();
