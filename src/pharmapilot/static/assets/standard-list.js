import { problem, written } from "./dom.js";
import { emptyRow, fill } from "./patient-rows.js";

const PAGE = 20;

// Shows twenty patients, and twenty more whenever the button is pressed. Returns how to end it.
export function standardList(table, source, { status, trouble, button }) {
  const body = table.tBodies[0];
  let active = true;

  function draw() {
    for (let index = body.rows.length; index < source.items.length; index += 1) {
      body.append(fill(emptyRow(), source.items[index], index));
    }
    status.textContent = source.items.length
      ? `${written(source.items.length)} patients shown${source.more ? "" : ", which is all"}.`
      : "There are no patients.";
    if (!source.more && document.activeElement === button) {
      status.focus();
    }
    button.hidden = !source.more;
  }

  async function load() {
    trouble.replaceChildren();
    button.setAttribute("aria-disabled", "true");
    try {
      await source.next(PAGE);
      if (active) {
        draw();
      }
    } catch {
      if (active) {
        status.textContent = "";
        trouble.replaceChildren(problem("The patients could not be loaded.", load));
      }
    } finally {
      button.removeAttribute("aria-disabled");
      table.setAttribute("aria-busy", "false");
    }
  }

  function more() {
    if (button.getAttribute("aria-disabled") !== "true") {
      load();
    }
  }

  button.addEventListener("click", more);
  load();
  return () => {
    active = false;
    button.removeEventListener("click", more);
    if (document.activeElement === button) {
      status.focus({ preventScroll: true });
    }
    button.hidden = true;
    body.replaceChildren();
  };
}
