import { isOn } from "./switches.js";

// Requests to the API. Every one has a time limit, and an ended session leads back to the sign-in page.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, timeoutMs) {
  const response = await fetch(path, {
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status === 401) {
    location.replace("/signin");
    throw new ApiError(401, "The session has ended.");
  }
  if (!response.ok) {
    throw new ApiError(response.status, `The service answered ${response.status}.`);
  }
  return response.json();
}

const SHARED_MS = 2_000;
const shared = new Map();

// With reactQueryOptimization whoever asks for the same within two seconds shares one request; a failure is
// shared only by those who waited for it.
function share(path, timeoutMs) {
  const now = performance.now();
  for (const [known, { at }] of shared) {
    if (now - at >= SHARED_MS) {
      shared.delete(known);
    }
  }
  if (!shared.has(path)) {
    const answer = ask(path, timeoutMs);
    shared.set(path, { at: now, answer });
    answer.catch(() => shared.delete(path));
  }
  return shared.get(path).answer;
}

export function get(path, { timeoutMs = 10_000 } = {}) {
  return isOn("reactQueryOptimization") ? share(path, timeoutMs) : ask(path, timeoutMs);
}

// Who is signed in.
export function me() {
  return get("/api/auth/me");
}

// How much there is; null when nobody knows.
export async function totals() {
  try {
    return (await get("/api/dashboard/overview")).totals;
  } catch {
    return null;
  }
}
