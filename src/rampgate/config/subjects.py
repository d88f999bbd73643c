"""The settings of what is checked: login, stores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rampgate.checks.frame.secrets import HeaderName, Secret, StoreAddress
from rampgate.checks.frame.table import Duration, JMESPath, Table, UrlPath


class FormSettings(Table):
    """[login.form]: how a browser signs in with the account of [login.body]."""

    path: UrlPath
    email_key: str = Field(default="email", description="key of [login.body]")
    password_key: str = Field(default="password", description="key of [login.body]")
    email_selector: str = "input[name=email]"
    password_selector: str = "input[name=password]"  # noqa: S105  # a CSS selector, not a password
    submit: str = "button[type=submit]"
    lands_on: UrlPath = "/"


class CsrfSettings(Table):
    """[login.csrf]: a cookie that is fetched first, and sent back in a header with the account."""

    path: UrlPath = Field(description="a GET of it sets the cookie")
    cookie: str = "XSRF-TOKEN"
    header: HeaderName = "X-XSRF-TOKEN"


class LoginSettings(Table):
    """[login]: how a known-good account signs in."""

    path: UrlPath
    body: dict[str, Secret] = Field(min_length=1)
    service: Literal["api", "web"] | None = Field(
        default=None, description="where; none: the API, else the web server"
    )
    encoding: Literal["json", "urlencoded", "form"] = "json"
    cookie: str = Field(default="", description="the session cookie that it sets, in place of a token")
    token: JMESPath = "token"  # noqa: S105  # where in the answer the token stands, not a token
    signed_in: UrlPath | None = Field(
        default=None, description="what answers 2xx to a session alone: asked with the new one, by GET"
    )
    user: JMESPath = Field(default="user.id", description="the user's id in the answer to the sign-in")
    workspace: JMESPath = Field(default="user.workspaceId", description="the workspace's id in the same")
    form: FormSettings | None = None
    csrf: CsrfSettings | None = None
    depends_on: list[Literal["mongodb", "redis"]] = Field(default_factory=list)
    required: bool = True

    @model_validator(mode="after")
    def _form_keys_exist(self) -> LoginSettings:
        keys = {self.form.email_key, self.form.password_key} if self.form else set()
        if missing := sorted(keys - set(self.body)):
            raise ValueError(
                f"form names {missing[0]!r}; accepted are the keys of body: {', '.join(self.body)}"
            )
        return self


class MongoSettings(Table):
    """[mongodb]: the database behind the deployment."""

    uri: StoreAddress
    database: str = "rampgate"
    timeout: Duration = 3.0
    required: bool = True


class RedisSettings(Table):
    """[redis]: the cache behind the deployment."""

    url: StoreAddress
    prefix: str = Field(default="", description="of the key that a round trip writes: what the account may")
    timeout: Duration = 3.0
    required: bool = True
