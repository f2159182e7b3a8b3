// A time in the text plays the sample call from there; without a script it is a link to the file.
const player = document.querySelector("audio");
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[data-at]") : null;
  if (link === null || player === null) return;
  event.preventDefault();
  player.currentTime = Number(link.dataset.at);
  player.play().catch(() => {
    location.assign(link.href);
  });
});
