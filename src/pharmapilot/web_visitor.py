"""Who visits a page: whether the session lives, and which of the page's features are on for the user."""

from collections.abc import Mapping
from http import HTTPStatus

import httpx

# The features that change what a page is made of.
PAGE_FEATURES = (
    "themeOptimization",
    "bundleOptimization",
    "performanceMonitoring",
    "serviceWorker",
    "reactQueryOptimization",
)
# A page waits no longer than this to learn whether its visitor is signed in, and which features are on.
SESSION_CHECK_S = 0.5
FEATURE_CHECK_S = 0.25


async def visitor_features(
    client: httpx.AsyncClient, credentials: Mapping[str, str]
) -> frozenset[str] | None:
    """The features that are on for the visitor; None for a visitor who is not signed in.

    The shell of a page holds no data, so that it may be shown while the API is away; it says so itself, and
    every feature is off then.
    """
    if not credentials:
        return None
    try:
        answer = await client.get("/api/auth/me", headers=credentials, timeout=SESSION_CHECK_S)
    except httpx.TransportError:
        return frozenset()
    if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return None
    return await _features(client, answer, credentials)


async def _features(
    client: httpx.AsyncClient, account: httpx.Response, credentials: Mapping[str, str]
) -> frozenset[str]:
    """The features of the account; none where the flag service does not say so in time."""
    try:
        user = account.json()
        asked = {
            "users": [{"userId": user["id"], "workspaceId": user["workspaceId"]}],
            "flags": PAGE_FEATURES,
        }
        answer = await client.post(
            "/api/feature-flags/evaluate", json=asked, headers=credentials, timeout=FEATURE_CHECK_S
        )
        decided = answer.json()["results"][0]["flags"]
        return frozenset(name for name in PAGE_FEATURES if decided[name] is True)
    except (httpx.TransportError, ValueError, LookupError, TypeError):
        return frozenset()
