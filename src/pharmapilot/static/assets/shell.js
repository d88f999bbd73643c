import { me, totals } from "./api.js";
import { written } from "./dom.js";
import { startThemeSwitch } from "./theme.js";
import { startVitals } from "./vitals.js";
import { startServiceWorker } from "./worker.js";

async function greet() {
  const place = document.getElementById("who");
  try {
    place.textContent = (await me()).email ?? "";
  } catch {
    place.textContent = "";
  }
}

async function tellInCare() {
  const all = await totals();
  if (all) {
    const text = `${written(all.patients)} patients and ${written(all.notes)} notes are in care.`;
    document.getElementById("in-care").textContent = text;
  }
}

// What every page has for whoever is signed in.
export function startShell() {
  startVitals();
  startThemeSwitch();
  greet();
  tellInCare();
  startServiceWorker();
}
