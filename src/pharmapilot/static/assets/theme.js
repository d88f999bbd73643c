import { isOn } from "./switches.js";

const YEAR_S = 31_536_000;
const root = document.documentElement;

function chosen() {
  const kept = document.cookie.match(/(?:^|; )pharmapilot_theme=(light|dark)/);
  return kept?.[1] ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

// With themeOptimization: one attribute changes, and with it the values of the colours.
function recolour(theme) {
  root.dataset.theme = theme;
}

// Without it: the old sheet goes before the new one comes, and for some frames the page has none.
function sheetSwapper() {
  let sheet = document.querySelector("link[rel=stylesheet]");
  return (theme) => {
    const next = sheet.cloneNode();
    next.href = sheet.href.replace(/[^/]+$/, `${theme}.css`);
    sheet.remove();
    sheet = next;
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (sheet === next) {
          document.head.append(next);
        }
      }),
    );
  };
}

export function startThemeSwitch() {
  const button = document.getElementById("theme");
  const apply = isOn("themeOptimization") ? recolour : sheetSwapper();
  let theme = chosen();
  button.setAttribute("aria-pressed", theme === "dark");
  button.addEventListener("click", () => {
    theme = theme === "dark" ? "light" : "dark";
    button.setAttribute("aria-pressed", theme === "dark");
    document.cookie = `pharmapilot_theme=${theme}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax`;
    apply(theme);
  });
}
