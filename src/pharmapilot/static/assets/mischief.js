// The faults that a browser meets, as the server switched them on for this page.
const { shift, themeShift, themeBroken, error, everyRow } = document.currentScript.dataset;

function onTheme(event) {
  return event.target instanceof Element && event.target.closest("#theme") !== null;
}

function push(height) {
  const block = document.createElement("div");
  block.style.height = `${height}px`;
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
  addEventListener("load", () => setTimeout(push, 100, shift));
}
if (shift || themeShift) {
  addEventListener("click", (event) => onTheme(event) && push(shift ?? themeShift));
}
