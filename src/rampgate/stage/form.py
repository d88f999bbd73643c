"""Floor 6. From [login.form] to what a browser fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.errors import ProbeError
from rampgate.probes.signed_browser import SignIn

if TYPE_CHECKING:
    from rampgate.config.subjects import LoginSettings


def form_of(login: LoginSettings | None, web: str) -> SignIn:
    """The form, and the account that signs in with it.

    Args:
        login: the settings; None when there are none.
        web: base address of the web server.

    Raises:
        ProbeError: no form is configured, so that a browser cannot sign in.
    """
    if login is None or login.form is None:
        raise ProbeError("login.form is not configured, so that the browser cannot sign in")
    form = login.form
    return SignIn(
        web + form.path,
        login.body[form.email_key],
        login.body[form.password_key],
        form.lands_on,
        form.email_selector,
        form.password_selector,
        form.submit,
    )
