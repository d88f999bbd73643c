import { get } from "./api.js";
import { element, humanise, written } from "./dom.js";

// One entry per column of the table in patients.html.
const COLUMNS = [
  { text: (patient) => patient.name },
  { text: (patient) => patient.id, className: "roomy" },
  { text: (patient) => patient.birthYear && String(patient.birthYear), className: "roomy" },
  { text: (patient) => humanise(patient.ward) },
  { text: (patient) => patient.medication?.join(", "), className: "roomy" },
  { text: (patient) => humanise(patient.risk) },
];

export function emptyRow() {
  return element(
    "tr",
    {},
    ...COLUMNS.map(({ className }, index) =>
      element(index ? "td" : "th", { ...(index ? {} : { scope: "row" }), ...(className ? { class: className } : {}) }),
    ),
  );
}

// Without a patient the row is one that is still on its way.
export function fill(row, patient, index) {
  row.setAttribute("aria-rowindex", index + 2);
  row.classList.toggle("waiting", !patient);
  row.classList.toggle("high-risk", patient?.risk === "high");
  COLUMNS.forEach(({ text }, column) => {
    row.cells[column].textContent = patient ? written(text(patient)) : column ? "" : "Loading…";
  });
  return row;
}

// The patients fetched so far; the pages follow one another by cursor, and only one is fetched at a time.
export class PatientSource {
  items = [];
  more = true;
  #cursor = null;
  #pending = null;

  next(limit) {
    this.#pending ??= this.#fetch(limit).finally(() => {
      this.#pending = null;
    });
    return this.#pending;
  }

  async #fetch(limit) {
    if (!this.more) {
      return;
    }
    const query = new URLSearchParams({ limit });
    if (this.#cursor) {
      query.set("cursor", this.#cursor);
    }
    const page = await get(`/api/patients?${query}`);
    this.items.push(...page.items);
    this.#cursor = page.nextCursor ?? null;
    this.more = this.#cursor !== null;
  }
}
