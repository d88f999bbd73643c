import { get } from "./api.js";
import { element, humanise, problem, written } from "./dom.js";
import { startShell } from "./shell.js";

const status = document.getElementById("status");

function total([name, value]) {
  return element(
    "dl",
    { class: "card total" },
    element("dt", {}, humanise(name)),
    element("dd", { class: "figure" }, written(value)),
  );
}

// One ward: its patients, and the share of them at high risk.
function widget({ ward, patients, highRisk }) {
  const share = patients > 0 ? Math.round((100 * highRisk) / patients) : 0;
  const bar = element("div", { class: "bar-filled" });
  bar.style.width = `${share}%`;
  return element(
    "article",
    { class: "card widget" },
    element("h3", {}, humanise(ward)),
    element("p", {}, element("span", { class: "figure" }, written(patients)), " patients"),
    element("p", { class: "soft" }, `${written(highRisk)} at high risk (${share} %)`),
    element("div", { class: "bar-whole", "aria-hidden": "true" }, bar),
  );
}

function orNothing(elements) {
  return elements.length ? elements : [element("p", { class: "soft" }, "There is nothing to show.")];
}

// Fills one part of the page; a failure is shown in its place and leaves the other part alone.
async function part(place, path, draw) {
  place.setAttribute("aria-busy", "true");
  try {
    place.replaceChildren(...draw(await get(path)));
    return true;
  } catch {
    place.replaceChildren(problem("This part could not be loaded.", () => part(place, path, draw)));
    return false;
  } finally {
    place.setAttribute("aria-busy", "false");
  }
}

async function load() {
  const parts = await Promise.all([
    part(document.getElementById("totals"), "/api/dashboard/overview", ({ totals }) =>
      orNothing(Object.entries(totals).map(total)),
    ),
    part(document.getElementById("widgets"), "/api/dashboard", ({ widgets }) => orNothing(widgets.map(widget))),
  ]);
  status.textContent = parts.every(Boolean) ? "The dashboard is loaded." : "";
}

load();
startShell();
