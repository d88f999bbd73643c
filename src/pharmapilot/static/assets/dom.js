// Elements are built from text, never from HTML: what the API sends cannot become markup.

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

// "clinicalNotes" and "clinical_notes" become "Clinical notes".
export function humanise(name) {
  const words = String(name ?? "–").replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const numbers = new Intl.NumberFormat("en");

export function written(value) {
  return typeof value === "number" ? numbers.format(value) : String(value ?? "–");
}

// A message with a button that tries again.
export function problem(message, retry) {
  const button = element("button", { type: "button" }, "Try again");
  button.addEventListener("click", retry);
  return element("div", { class: "alert", role: "alert" }, message, button);
}
