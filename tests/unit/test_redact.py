from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rampgate.model.redact import MASK, Redactor, argument_secrets, credentials, well_formed

SECRET = 'p"ss wörd/+&é'


def test_nested_data_is_cleaned_keys_included() -> None:
    """A secret is found however deep it lies, and as a key too; all else stays as it is."""
    data = {"a": ["x hunter22 y", {"hunter22": ("hunter22", 5, None, True, 1.5)}], "b": "hunter"}
    assert Redactor(["hunter22"]).data(data) == {
        "a": [f"x {MASK} y", {MASK: [MASK, 5, None, True, 1.5]}],
        "b": "hunter",
    }


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote("p/ß+x&", safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        html.escape(SECRET),
        html.escape(SECRET).replace("&quot;", "&#34;"),
    ],
)
def test_the_forms_of_a_secret_are_known(form: str) -> None:
    """A target may echo a secret as a URL, as JSON or as HTML carries it."""
    assert Redactor([SECRET, "p/ß+x&"]).text(f"<{form}>") == f"<{MASK}>"


def test_a_secret_that_was_configured_quoted_is_known_unquoted() -> None:
    """The password in a URL is quoted there, and plain wherever else it appears."""
    assert Redactor(["p%40ss%2Fword"]).text("p@ss/word") == MASK


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mongodb://u:p@h/x", f"mongodb://{MASK}@h/x"),
        ("redis://:word@h:1", f"redis://{MASK}@h:1"),
        ("https://token@h", f"https://{MASK}@h"),
        ("http://h/a@b", "http://h/a@b"),
        ("http://h:80/?mail=a@b", "http://h:80/?mail=a@b"),
        ("see http://u:p@h and http://v:q@h", f"see http://{MASK}@h and http://{MASK}@h"),
    ],
)
def test_the_user_part_of_any_url_is_masked(text: str, expected: str) -> None:
    """Even of an address that the settings never named."""
    assert Redactor().text(text) == expected


def test_a_short_secret_is_masked_alone_only() -> None:
    """Inside words it would maim everything and hide nothing."""
    redactor = Redactor(["abc"])
    assert redactor.data(["abc", "xabcx"]) == [MASK, "xabcx"]


def test_a_secret_inside_another_leaves_no_remainder() -> None:
    """The longest is taken first."""
    assert Redactor(["abcd", "abcdef"]).text("abcdef abcd") == f"{MASK} {MASK}"


def test_no_secret_means_no_change() -> None:
    """An empty secret, such as a variable that is set to nothing, masks nothing."""
    assert Redactor(["", ""]).data({"a": ["b"]}) == {"a": ["b"]}


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("http://u:p@h", {"p", "u:p", "dTpw"}),
        ("http://u@h", {"dTo="}),
        ("redis://:p%40q@h", {"p%40q", ":p%40q", "OnBAcQ=="}),
        ("http://h", set()),
        ("http://[h", set()),
        ("mongodb://h/?tls=true&tlsCertificateKeyFilePassword=word&authSource=admin", {"word"}),
        ("/path?api_key=word1&page=2&sig=word2#access_token=word3", {"word1", "word2", "word3"}),
        ("/path?sort_key=name&code=1", set()),
    ],
)
def test_what_a_url_hides(url: str, secrets: set[str]) -> None:
    """The account of a URL, the header that a client makes of it, and values that have a secret's name."""
    assert credentials(url) == secrets


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pa/ss@host",
        "http://user:12/ss@host",
        "http://user:pa ss@host",
        "redis://:p?ss@host:1/0",
        "redis://:p#ss@host",
        "redis://word#x@host",
        "mongodb://app:Tr4e/8Yb6n@127.0.0.1:1/db",
        "http://host:port/",
        "http://[h",
    ],
)
def test_an_address_that_can_be_read_in_two_ways_is_found(url: str) -> None:
    """What one library takes for a password is another's host: it would be looked up, and quoted."""
    assert not well_formed(url)
    assert Redactor().text(f"cannot use {url!r}") in {
        f"cannot use {url!r}",
        f"cannot use '{url.partition('://')[0]}://{MASK}@{url.rpartition('@')[2]}'",
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://h:80/?mail=x",
        "http://[::1]/a@b",
        "http://h/?mail=a@b",
        "http://u:p@h/?mail=a@b",
        "mongodb://a:1,b:2,c/db",
        "mongodb://u:p%2F@a:1,[::1]:2/?appName=@u@",
        "mongodb://%2Ftmp%2Fmongodb.sock/db",
        "redis://h",
        "unix://u:p@/run/redis.sock?db=1",
        "redis://:p@ss@h",
    ],
)
def test_a_plain_address_is_well_formed(url: str) -> None:
    """What has one meaning is taken, whatever follows the host."""
    assert well_formed(url)


@pytest.mark.parametrize(
    ("command", "secrets"),
    [
        (["x", "--password=word1", "--api-key", "word2"], {"word1", "word2"}),
        (
            ["sh", "-c", "PGPASSWORD=word1 psql -h db; TOKEN='word2' run --secret word3"],
            {"word1", "word2", "word3"},
        ),
        (["mysql", "-uroot", "-pWord1"], {"Word1"}),
        (["curl", "-u", "me:word1", "-H", "Authorization: Bearer word2word2"], {"word1", "word2word2"}),
        (["curl", "http://me:word1@h/?sig=word2"], {"word1", "word2", "me:word1", "bWU6d29yZDE="}),
        (["redis-cli", "-h", "db", "-a", "word1"], {"word1"}),
        (["curl", "-d", '{"password": "word1"}'], {"word1"}),
        (["pytest", "-m", "immediate", "-k", "health", "-p", "no:cacheprovider"], set()),
        (["find", ".", "-print", "-path", "x", "-p8080"], set()),
        (["sh", "-c", "run --token=$TOKEN --author me; npm run build --verbose"], {}.keys() | {""} - {""}),
    ],
)
def test_what_arguments_hide(command: list[str], secrets: set[str]) -> None:
    """What stands where programs take their passwords from, and nothing else."""
    assert argument_secrets(command) == secrets


SECRETS = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=4, max_size=12)


@given(st.lists(SECRETS, min_size=1, max_size=3), st.data())
def test_no_secret_survives_in_any_nested_structure(secrets: list[str], data: st.DataObject) -> None:
    """Whatever the secrets and wherever they stand: none of four characters or more is left."""
    assume(not any(secret in MASK for secret in secrets))
    texts = st.tuples(st.text(max_size=4), st.sampled_from(secrets), st.text(max_size=4)).map("".join)
    leaves = texts | st.integers() | st.none()
    nested = data.draw(
        st.recursive(
            leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2)
        )
    )
    cleaned = list(_texts(Redactor(secrets).data(nested)))
    assert not [text for text in cleaned for secret in secrets if secret in text]
    assert not [
        text
        for text in cleaned
        for secret in secrets
        if len(unquote(secret)) >= 4 and unquote(secret) in text
    ]


def _texts(data: Any) -> Any:
    """Every text in nested data."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(key)
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)


def test_a_secret_learnt_later_is_masked_from_then_on() -> None:
    """What only sign-in brings to light is masked like any secret of the settings."""
    redactor = Redactor(["first-secret"])
    assert redactor.text("session abc-123") == "session abc-123"
    redactor.learn("abc-123")
    assert redactor.text("session abc-123, first-secret") == "session ***, ***"


def test_what_a_target_sets_leaves_names_as_they_are() -> None:
    """A session may be called as a check is: its name is that of the plan, though its text is masked."""
    redactor = Redactor(["first-secret"])
    assert redactor.names.text("page[shop-one]") == "page[shop-one]"
    redactor.learn("shop-one", session=True)
    redactor.learn("third-secret")
    assert redactor.text("page[shop-one]") == f"page[{MASK}]"
    assert (
        redactor.names.text("page[shop-one], first-secret, third-secret") == f"page[shop-one], {MASK}, {MASK}"
    )


@pytest.mark.parametrize("part", ["a.", "x://", "http://a:b", "?a", "&", "://a:", "?=a", "a@"])
def test_no_text_takes_long_to_mask(part: str) -> None:
    """A target may send what it likes: a pattern that tries every end of every beginning would not end."""
    text = part * 30_000
    assert Redactor(["canary-7f3a"]).text(f"{text} @canary-7f3a").endswith(f"@{MASK}")
    assert MASK in Redactor(["canary-7f3a"]).text(f"{text}@canary-7f3a=")


LONG = "Canary" + "0123456789" * 30


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (f"{LONG[:30]}...{LONG[-20:]}", f"{MASK}...{MASK}"),
        (f"'{LONG[:6]}...{LONG[-6:]}'", f"'{MASK}...{MASK}'"),
        (f"E  {LONG[:40]}\nE  {LONG[40:]}", f"E  {MASK}\nE  {MASK}"),
        (f"\x1b[33m{LONG[:4]}\x1b[0m{LONG[4:]}", f"\x1b[33m{MASK}"),
        ("\x1b[33mCana is no secret...\x1b[0m", "\x1b[33mCana is no secret...\x1b[0m"),
        (repr(repr(SECRET)), f"'\\'{MASK}\\''"),
        (repr(SECRET.encode()), f"b'{MASK}'"),
        (ascii({"a": [SECRET]}), f"{{'a': ['{MASK}']}}"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_no_part_of_a_secret_is_printed(printed: str, expected: str) -> None:
    """What shows a value cuts out its middle, wraps it, colours it, and escapes it once or twice."""
    assert Redactor([SECRET, LONG]).printed(printed) == expected
