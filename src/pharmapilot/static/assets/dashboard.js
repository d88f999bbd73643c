import { get, greet } from "./api.js";
import { element, humanise, problem, written } from "./dom.js";

const status = document.getElementById("status");

function total([name, value]) {
  return element(
    "dl",
    { class: "card total" },
    element("dt", {}, humanise(name)),
    element("dd", { class: "figure" }, written(value)),
  );
}

function widgetBody({ value, text, items }) {
  if (Array.isArray(items) && items.length) {
    return element("ul", {}, ...items.map((item) => element("li", {}, written(item?.text ?? item))));
  }
  return element("p", {}, written(value ?? text));
}

function widget(content) {
  const title = content.title ?? humanise(String(content.type ?? content.id ?? "Widget"));
  return element("article", { class: "card widget" }, element("h3", {}, title), widgetBody(content));
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
      Object.entries(totals).map(total),
    ),
    part(document.getElementById("widgets"), "/api/dashboard", ({ widgets }) => widgets.map(widget)),
  ]);
  status.textContent = parts.every(Boolean) ? "The dashboard is loaded." : "";
}

load();
greet();
