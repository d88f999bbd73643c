import { get, me } from "./api.js";

// A feature is off until the flag service says that it is on for this very user.
export async function isEnabled(name) {
  try {
    const { id, workspaceId } = await me();
    const query = new URLSearchParams({ userId: id, workspaceId });
    const flag = await get(`/api/feature-flags/${encodeURIComponent(name)}?${query}`, { timeoutMs: 5_000 });
    return flag.enabled === true;
  } catch {
    return false;
  }
}
