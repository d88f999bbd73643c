// The fault heavy_page: keeps the main thread busy before the page is drawn, and as long again afterwards.
const burden = Number(document.currentScript.dataset.ms);

function toil() {
  const end = performance.now() + burden;
  while (performance.now() < end);
}

toil();
addEventListener("load", () => setTimeout(toil, 50));
