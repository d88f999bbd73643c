import { get } from "./api.js";
import { isEnabled } from "./flags.js";
import { PatientSource } from "./patient-rows.js";
import { startShell } from "./shell.js";
import { standardList } from "./standard-list.js";
import { virtualizedList } from "./virtualized-list.js";

const table = document.getElementById("patients");
const status = document.getElementById("status");
const trouble = document.getElementById("problem");
const button = document.getElementById("more");

// How long the list will be; 0 when nobody knows, and then it grows as it is read.
async function patientTotal() {
  try {
    const { totals } = await get("/api/dashboard/overview");
    return Number.isInteger(totals.patients) ? totals.patients : 0;
  } catch {
    return 0;
  }
}

async function virtualizeIfEnabled(source, endStandard) {
  if (!(await isEnabled("virtualization"))) {
    return;
  }
  const total = await patientTotal();
  endStandard();
  trouble.replaceChildren();
  document.body.dataset.list = "virtualized";
  virtualizedList(table, source, { status, trouble, total });
}

const source = new PatientSource();
const endStandard = standardList(table, source, { status, trouble, button });
virtualizeIfEnabled(source, endStandard);
startShell();
