// Keeps the shells of the pages and what they load, so that they open without the server. The shells hold no
// patient data; what comes from the API, signing in and signing out are never touched. The server fills in the
// three values.
const BASE = "$base";
const PAGES = "$pages".split(" ");
const ANSWERS_OFFLINE = "$answers_offline" === "yes";
const CACHE = `pharmapilot ${BASE}`;
const NAMED = /(?:src|href)="(\/static\/[^"?]+)"/g;

// Keeps one page and returns the files that it names; a page that leads to the sign-in form is none.
async function keepPage(cache, path) {
  const answer = await fetch(path);
  if (!answer.ok || answer.redirected) {
    return [];
  }
  await cache.put(path, answer.clone());
  return [...(await answer.text()).matchAll(NAMED)].map(([, address]) => address);
}

async function install() {
  const cache = await caches.open(CACHE);
  const named = await Promise.all(PAGES.map((path) => keepPage(cache, path)));
  await cache.addAll([...new Set([`${BASE}/light.css`, `${BASE}/dark.css`, ...named.flat()])]);
  await self.skipWaiting();
}

async function activate() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("pharmapilot ") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function keptFirst(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function freshFirst(event, path) {
  try {
    const answer = await fetch(event.request);
    if (answer.ok && !answer.redirected) {
      const copy = answer.clone();
      event.waitUntil(caches.open(CACHE).then((cache) => cache.put(path, copy)));
    }
    return answer;
  } catch (error) {
    const kept = ANSWERS_OFFLINE && (await caches.match(path, { ignoreVary: true }));
    if (kept) {
      return kept;
    }
    throw error;
  }
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== self.location.origin) {
    return;
  }
  if (pathname.startsWith(`${BASE}/`)) {
    event.respondWith(keptFirst(event.request));
  } else if (mode === "navigate" && PAGES.includes(pathname)) {
    event.respondWith(freshFirst(event, pathname));
  }
});
