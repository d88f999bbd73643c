// The features that are on for this user, as the server knew when it drew the page.
const on = new Set((document.documentElement.dataset.flags ?? "").split(" "));

export function isOn(name) {
  return on.has(name);
}
