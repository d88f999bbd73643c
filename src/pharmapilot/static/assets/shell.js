import { me } from "./api.js";
import { startThemeSwitch } from "./theme.js";

async function greet() {
  const place = document.getElementById("who");
  try {
    place.textContent = (await me()).email ?? "";
  } catch {
    place.textContent = "";
  }
}

// What every page has for whoever is signed in.
export function startShell() {
  startThemeSwitch();
  greet();
}
