import { get, totals } from "./api.js";
import { element, problem, written } from "./dom.js";
import { startShell } from "./shell.js";

const PAGE = 20;
const table = document.getElementById("notes");
const status = document.getElementById("status");
const trouble = document.getElementById("problem");
const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

function moment(text) {
  const at = new Date(text);
  return Number.isNaN(at.valueOf()) ? String(text ?? "–") : times.format(at);
}

function row({ patientId, writtenAt, text }) {
  return element(
    "tr",
    {},
    element("td", {}, element("time", { datetime: writtenAt }, moment(writtenAt))),
    element("th", { scope: "row" }, written(patientId)),
    element("td", {}, written(text)),
  );
}

async function load() {
  trouble.replaceChildren();
  try {
    const [{ items }, all] = await Promise.all([get(`/api/clinical-notes?limit=${PAGE}`), totals()]);
    table.tBodies[0].replaceChildren(...items.map(row));
    const known = Number.isInteger(all?.notes) ? ` of ${written(all.notes)}` : "";
    status.textContent = items.length ? `The newest ${written(items.length)}${known} notes.` : "There are no notes.";
  } catch {
    status.textContent = "";
    trouble.replaceChildren(problem("The notes could not be loaded.", load));
  } finally {
    table.setAttribute("aria-busy", "false");
  }
}

load();
startShell();
