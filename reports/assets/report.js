// Zoom with the wheel and the keyboard, and disputes where a server takes them. The report reads
// without it.
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
