// The Gate tab: asks for the run's state once a second and shows it. All text goes in as text, never as markup.
"use strict";
(() => {
  const EVERY_MS = 1000, KEY = "gate";
  const BASE = new URL("../..", document.currentScript.src);
  const SYMBOLS = { passed: "\u2713", failed: "\u2715", undecided: "?", error: "!" };
  const panel = make("section", { class: "rampgate", "aria-label": "Gate" });
  const NUMBERS = new Set(["measured", "requests", "waits for a processor", "processor", "visits"]);
  let shownOnPage = false;

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // Parts that stay; only what changes is written, so that a reader, a selection and the focus are left alone.
  const headline = make("strong", { role: "status" }), because = make("p"), more = make("p");
  const banner = make("div", { class: "banner" }, headline, because);
  const facts = make("dl", { class: "facts" });
  const progress = make("progress", { "aria-label": "seconds of the ramp", max: "1", value: "0" });
  const limits = part("Limits so far", "Every limit with what was measured so far, endpoint by endpoint",
    ["limit", "measured", "bound", "requests", "outcome"]);
  const aborts = part("Evidence for ending early", "How much of the evidence that it takes each limit has",
    ["limit", "share of the evidence that it takes"]);
  const generators = part("Generator", "Each process that sends the load",
    ["process", "waits for a processor", "processor", "visits", "state"]);
  panel.append(banner, more, facts, progress, limits.section, aborts.section, generators.section);

  function part(title, caption, heads) {
    const body = make("table", {}, make("caption", { class: "hidden" }, caption),
      make("thead", {}, make("tr", {}, ...heads.map((head) =>
        make("th", { scope: "col", class: NUMBERS.has(head) ? "number" : null }, head)))));
    const heading = make("h2", {}, title);
    return { section: make("section", { hidden: "" }, heading, body), title: heading, table: body, drawn: "" };
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function chip(outcome, text = outcome) {
    return make("span", { class: `chip ${outcome}` },
      make("span", { "aria-hidden": "true" }, SYMBOLS[outcome] || "\u00b7"), ` ${text}`);
  }

  function cell(label, text, kind = null) {
    return make("td", { "data-label": label, class: kind }, text);
  }

  function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  function count(number) {
    return number.toLocaleString("en");
  }

  function percent(share) {
    return `${(100 * share).toLocaleString("en", { maximumSignificantDigits: 3 })} %`;
  }

  function ms(value) {
    return value === null ? "\u2013" : `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ms`;
  }

  function fill(target, content, build) {
    const key = JSON.stringify(content);
    if (target.drawn === key) return;
    target.drawn = key;
    target.section.hidden = content.length === 0;
    for (const body of target.table.querySelectorAll("tbody")) body.remove();
    target.table.append(...build(content));
  }

  function limitBodies(held) {
    const groups = new Map();
    for (const each of held) {
      const key = `${each.about}\n${each.over}`;
      groups.set(key, [...(groups.get(key) || []), each]);
    }
    return [...groups.values()].map((rows) => {
      const [first] = rows;
      const over = first.over + (first.judged ? "" : ", not judged");
      const head = make("th", { scope: "rowgroup", colspan: "5" }, first.about,
        make("span", { class: "quiet" }, ` (${over})`));
      return make("tbody", {}, make("tr", {}, head), ...rows.map((each) => make("tr", {},
        make("td", { class: "about" }, make("code", {}, each.threshold),
          ...(each.severity === "critical" ? [make("span", { class: "quiet" }, " critical")] : []), make("span", { class: "sentence" }, each.sentence)),
        cell("measured", each.value || "\u2013", "number"), cell("bound", each.bound),
        cell("requests", count(each.n), "number"),
        make("td", {}, chip(each.outcome)))));
    });
  }

  function abortBodies(found) {
    return [make("tbody", {}, ...found.map((each) => make("tr", {},
      make("th", { scope: "row" }, each.threshold),
      make("td", {}, make("meter", { min: "0", max: "1", value: String(each.share), "aria-label": each.threshold }),
        ` ${percent(each.share)}`, ...(each.fired ? [" ", chip("failed", "enough")] : [])))))];
  }

  function generatorBodies(found) {
    return [make("tbody", {}, ...found.map((each) => make("tr", {},
      make("th", { scope: "row" }, each.process),
      cell("waits", each.wait === null ? "not known" : percent(each.wait), "number"),
      cell("processor", each.cpu === null ? "not known" : percent(each.cpu), "number"),
      cell("visits", each.offered ? `${count(each.iterations)} of ${count(each.offered)}` : count(each.iterations), "number"),
      make("td", {}, each.starved ? chip("undecided", "starved") : each.wait === null ? chip("shown", "not known") : chip("passed", "calm")))))];
  }

  function say(kind, title, text) {
    banner.className = `banner ${kind}`;
    setText(headline, title);
    setText(because, text);
  }

  function showFacts(pairs) {
    while (facts.children.length > pairs.length) facts.lastChild.remove();
    pairs.forEach(([name, text], index) => {
      const pair = facts.children[index] || facts.appendChild(make("div", {}, make("dt"), make("dd")));
      setText(pair.firstChild, name);
      setText(pair.lastChild, text);
    });
  }

  function show(now) {
    const running = now.phase === "running";
    for (const each of [facts, progress]) each.hidden = !running;
    if (!running) {
      setText(limits.title, "Limits");
      fill(limits, now.thresholds || [], limitBodies);
      for (const each of [aborts, generators]) fill(each, [], () => []);
      const titles = { idle: "No run", judging: "Judging", ended: (now.verdict || "").toUpperCase() };
      say(now.verdict || "", titles[now.phase], now.says);
      more.replaceChildren(...(now.report ? [make("a", { href: new URL("gate/report", BASE) }, "The report of this run")] : []));
      return;
    }
    more.replaceChildren();
    say(now.verdict, `So far: ${now.verdict.toUpperCase()}`, now.says);
    const failed = now.requests ? `${count(now.failures)} (${percent(now.failures / now.requests)})` : "0";
    showFacts([
      ["stage", now.stage ? `${now.stage.number} of ${now.stage.of}: ${now.stage.name}` : "the ramp is over"],
      ["left of it", clock(now.stage ? now.stage.left : 0)],
      ["elapsed, left", `${clock(now.elapsed)}, ${clock(now.left)}`],
      ["users, ideal", `${count(now.users)}, ${now.ideal.toLocaleString("en")}`],
      ["requests per second", count(now.rate)],
      ["failed so far", failed],
      ["p50, p95, p99 of the last second", [now.p50, now.p95, now.p99].map(ms).join(", ")],
    ]);
    progress.max = now.elapsed + now.left || 1;
    progress.value = now.elapsed;
    setText(limits.title, "Limits so far");
    fill(limits, now.thresholds, limitBodies);
    fill(aborts, now.aborts, abortBodies);
    fill(generators, now.generators, generatorBodies);
  }

  function dark(element) {
    const [red, green, blue] = (getComputedStyle(element).backgroundColor.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
    return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }

  // Where the panel belongs: under Locust's tabs while ours is the chosen one, or alone on its own page.
  function place() {
    const alone = document.getElementById("rampgate-alone");
    const tabs = document.querySelector('[role="tablist"]');
    const chosen = new URLSearchParams(location.search).get("tab") === KEY;
    const home = alone || (tabs && chosen ? tabs.closest(".MuiContainer-root") || tabs.parentElement : null);
    shownOnPage = home !== null;
    panel.hidden = !shownOnPage;
    if (!shownOnPage) return;
    if (panel.parentElement !== home) home.append(panel);
    if (!alone) panel.setAttribute("role", "tabpanel");
    panel.dataset.theme = dark(document.body) ? "dark" : "light";
  }

  async function ask() {
    try {
      const answer = await fetch(new URL("gate/now", BASE), { cache: "no-store" });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      show(await answer.json());
    } catch (error) {
      say("lost", "No answer", `Locust does not answer (${error.message}); retrying`);
    }
  }

  async function follow() {
    place();
    if (shownOnPage && !document.hidden) await ask();
    setTimeout(follow, EVERY_MS);
  }

  document.addEventListener("click", () => setTimeout(() => {
    const before = shownOnPage;
    place();
    if (shownOnPage && !before) ask();
  }));
  follow();
})();
