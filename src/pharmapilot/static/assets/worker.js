import { isOn } from "./switches.js";

async function start() {
  // After loading: what the worker keeps must not compete with what the visitor waits for.
  if (document.readyState !== "complete") {
    await new Promise((done) => addEventListener("load", done, { once: true }));
  }
  await navigator.serviceWorker.register("/sw.js", { scope: "/", updateViaCache: "none" });
}

// A feature that is taken back must be gone from the browsers that had it.
async function remove() {
  const workers = await navigator.serviceWorker.getRegistrations();
  await Promise.all(workers.map((worker) => worker.unregister()));
  const kept = await caches.keys();
  await Promise.all(kept.filter((name) => name.startsWith("pharmapilot ")).map((name) => caches.delete(name)));
}

export async function startServiceWorker() {
  if (!("serviceWorker" in navigator)) {
    return;
  }
  try {
    await (isOn("serviceWorker") ? start() : remove());
  } catch {
    // The page does all it did before, with the network.
  }
}
