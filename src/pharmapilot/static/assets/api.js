// Requests to the API. Every one has a time limit, and an ended session leads back to the sign-in page.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function get(path, { timeoutMs = 10_000 } = {}) {
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

let account;

// Who is signed in: asked once per page.
export function me() {
  account ??= get("/api/auth/me");
  return account;
}
