// The faults that a browser meets, as the server switched them on for this page.
const { shift, themeBroken, error, everyRow } = document.currentScript.dataset;

function onTheme(event) {
  return event.target instanceof Element && event.target.closest("#theme") !== null;
}

function push() {
  const block = document.createElement("div");
  block.style.height = `${shift}px`;
  document.getElementById("main").prepend(block);
}

if (error) {
  console.error("This page has an error on purpose.");
}
if (everyRow) {
  Object.defineProperty(window, "innerHeight", { value: Number.MAX_SAFE_INTEGER });
}
if (themeBroken) {
  addEventListener("click", (event) => onTheme(event) && event.stopImmediatePropagation(), { capture: true });
}
if (shift) {
  addEventListener("load", () => setTimeout(push, 100));
  addEventListener("click", (event) => onTheme(event) && push());
}
