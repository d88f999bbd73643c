import { element, problem, written } from "./dom.js";
import { emptyRow, fill } from "./patient-rows.js";

const PAGE = 100;
const OVERSCAN = 8;

function spacer() {
  return element("tr", { class: "spacer", "aria-hidden": "true" }, element("td"));
}

// Keeps only the rows in view in the document, whatever the length of the list: two spacers stand for the others.
// The page itself scrolls, so that keyboard, touch and zoom work as everywhere else.
export function virtualizedList(table, source, { status, trouble, total }) {
  const body = table.tBodies[0];
  const above = spacer();
  const below = spacer();
  const rows = [];
  let height = 0;
  let wanted = 0;
  let frame = 0;
  let loading = false;
  let failed = false;

  function count() {
    return source.more ? Math.max(total, source.items.length + 1) : source.items.length;
  }

  function visible() {
    const hidden = -body.getBoundingClientRect().top;
    const first = Math.floor(hidden / height) - OVERSCAN;
    const size = Math.ceil(innerHeight / height) + 2 * OVERSCAN;
    const start = Math.max(0, Math.min(first, count() - size));
    return { start, end: Math.min(count(), start + size) };
  }

  function draw() {
    frame = 0;
    const { start, end } = visible();
    while (rows.length < end - start) {
      rows.push(emptyRow());
      below.before(rows.at(-1));
    }
    while (rows.length > end - start) {
      rows.pop().remove();
    }
    rows.forEach((row, offset) => fill(row, source.items[start + offset], start + offset));
    above.firstChild.style.height = `${start * height}px`;
    below.firstChild.style.height = `${(count() - end) * height}px`;
    table.setAttribute("aria-rowcount", source.more && !total ? -1 : count() + 1);
    wanted = end;
    fetchWanted();
  }

  function schedule() {
    frame ||= requestAnimationFrame(draw);
  }

  function announce() {
    const known = total || !source.more ? `${written(count())} patients in one list.` : "More patients follow as you scroll.";
    const text = count() ? known : "There are no patients.";
    // The same text set again would be read out again.
    if (status.textContent !== text) {
      status.textContent = text;
    }
  }

  async function fetchWanted() {
    if (loading || failed) {
      return;
    }
    loading = true;
    try {
      while (source.more && source.items.length < wanted) {
        await source.next(PAGE);
        schedule();
      }
      announce();
    } catch {
      failed = true;
      trouble.replaceChildren(problem("The patients could not be loaded.", retry));
    } finally {
      loading = false;
      table.setAttribute("aria-busy", "false");
    }
  }

  function retry() {
    failed = false;
    trouble.replaceChildren();
    fetchWanted();
  }

  function measure() {
    height = rows[0]?.getBoundingClientRect().height || height;
    schedule();
  }

  rows.push(fill(emptyRow(), source.items[0], 0));
  body.replaceChildren(above, rows[0], below);
  measure();
  addEventListener("scroll", schedule, { passive: true });
  addEventListener("resize", measure);
}
