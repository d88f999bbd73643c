import { totals } from "./api.js";
import { isEnabled } from "./flags.js";
import { PatientSource } from "./patient-rows.js";
import { startShell } from "./shell.js";
import { standardList } from "./standard-list.js";
import { virtualizedList } from "./virtualized-list.js";

const table = document.getElementById("patients");
const status = document.getElementById("status");
const trouble = document.getElementById("problem");
const button = document.getElementById("more");

async function virtualizeIfEnabled(source, endStandard) {
  if (!(await isEnabled("virtualization"))) {
    return;
  }
  // 0 when nobody knows, and then the list grows as it is read.
  const total = (await totals())?.patients ?? 0;
  endStandard();
  trouble.replaceChildren();
  document.body.dataset.list = "virtualized";
  virtualizedList(table, source, { status, trouble, total });
}

const source = new PatientSource();
const endStandard = standardList(table, source, { status, trouble, button });
virtualizeIfEnabled(source, endStandard);
startShell();
