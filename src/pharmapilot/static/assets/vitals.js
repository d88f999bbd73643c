import { isOn } from "./switches.js";

// Measures what this visit was like and tells the API, each figure once: it counts what it is told.
// A beacon that gets no answer is lost and nothing else happens.
const SETTLING_MS = 1_000;
const SAME_BURST_MS = 1_000;
const LONGEST_BURST_MS = 5_000;
const SHORTEST_EVENT_MS = 16;

const found = new Map();
const told = new Set();

function observe(type, use, options = {}) {
  if (PerformanceObserver.supportedEntryTypes.includes(type)) {
    new PerformanceObserver((list) => list.getEntries().forEach(use)).observe({ type, buffered: true, ...options });
  }
}

// CLS: the worst burst of shifts that the visitor did not bring about.
function watchShifts() {
  const burst = { start: 0, last: 0, sum: 0 };
  if (PerformanceObserver.supportedEntryTypes.includes("layout-shift")) {
    found.set("CLS", 0);
  }
  observe("layout-shift", ({ startTime, value, hadRecentInput }) => {
    if (hadRecentInput) {
      return;
    }
    if (startTime - burst.last > SAME_BURST_MS || startTime - burst.start > LONGEST_BURST_MS) {
      Object.assign(burst, { start: startTime, sum: 0 });
    }
    burst.last = startTime;
    burst.sum += value;
    found.set("CLS", Math.max(found.get("CLS"), burst.sum));
  });
}

function watch() {
  observe("navigation", ({ responseStart }) => found.set("TTFB", responseStart));
  observe("paint", ({ name, startTime }) => name === "first-contentful-paint" && found.set("FCP", startTime));
  observe("largest-contentful-paint", ({ startTime }) => found.set("LCP", startTime));
  // INP: the slowest interaction, which is its definition up to fifty of them.
  observe(
    "event",
    ({ interactionId, duration }) =>
      interactionId && found.set("INP", Math.max(found.get("INP") ?? 0, duration)),
    { durationThreshold: SHORTEST_EVENT_MS },
  );
  watchShifts();
}

function tell(names) {
  const fresh = names.filter((name) => found.has(name) && !told.has(name));
  if (fresh.length) {
    fresh.forEach((name) => told.add(name));
    const metrics = Object.fromEntries(fresh.map((name) => [name, found.get(name)]));
    const body = JSON.stringify({ page: location.pathname, metrics });
    navigator.sendBeacon("/api/vitals", new Blob([body], { type: "application/json" }));
  }
}

function tellAll() {
  tell(["TTFB", "FCP", "LCP", "CLS", "INP"]);
}

export function startVitals() {
  if (!isOn("performanceMonitoring")) {
    return;
  }
  watch();
  // These are settled soon after loading; shifts and interactions go on until the visitor leaves.
  const settled = () => setTimeout(tell, SETTLING_MS, ["TTFB", "FCP", "LCP"]);
  if (document.readyState === "complete") {
    settled();
  } else {
    addEventListener("load", settled, { once: true });
  }
  addEventListener("pagehide", tellAll);
  addEventListener("visibilitychange", () => document.visibilityState === "hidden" && tellAll());
}
