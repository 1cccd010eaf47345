"""Settings are checked where they are made: fields, their ranges, and what a server and a store are handed."""

from __future__ import annotations

import dataclasses
import socket
import typing
from typing import Annotated, Any

import pytest

from gearfast import Config, Server
from gearfast.cli.options import OPTIONS
from gearfast.config import HANDLE_PREFIX_SIZE
from gearfast.errors import ConfigError
from gearfast.ground.fields import By, is_of
from gearfast.plugins.admin import Admin
from gearfast.plugins.sqlite import Sqlite
from gearfast.plugins.stores import make_store
from gearfast.store.contract import StoreSettings
from gearfast.store.testing import a_job

SETTINGS = (Config, StoreSettings)
WRONG: tuple[object, ...] = (
    None,
    True,
    -1,
    0.5,
    "x",
    "a\0b",
    (),
    ("x", 1),
    [],
    b"x",
    object(),
    float("nan"),
    float("inf"),
    10**30,
)


def marks_of(settings: type, name: str) -> tuple[Any, ...]:
    """Return type and marks of a field."""
    hint = typing.get_type_hints(settings, include_extras=True)[name]
    return typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)


def refusal(make: Any, *args: Any, **fields: Any) -> str:
    """Return the one line with which something is refused."""
    with pytest.raises(ConfigError) as refused:
        make(*args, **fields)
    assert "\n" not in str(refused.value)
    return str(refused.value)


ADDRESSES = "a tuple of texts, each of them a name, an address or unix:/path"
SECONDS = "a number above 0 and at most 86400"


@pytest.mark.parametrize(
    ("field", "option", "value", "allowed"),
    [
        ("port", "--port", 99999, "a whole number from 0 to 65535"),
        ("port", "--port", -1, "a whole number from 0 to 65535"),
        ("port", "--port", "4730", "a whole number from 0 to 65535"),
        ("port", "--port", True, "a whole number from 0 to 65535"),
        ("listen", "--listen", "127.0.0.1", f"{ADDRESSES}, such as ('127.0.0.1',)"),
        ("listen", "--listen", ["a"], ADDRESSES),
        ("listen", "--listen", ("a", "unix:"), ADDRESSES),
        ("store_timeout", "--store-timeout", 0, SECONDS),
        ("max_packet_size", "--max-packet-size", -1, "a whole number from 1 to 4294967295"),
        ("linger", "", float("nan"), "a number from 0 to 86400"),
        ("io_threads", "--io-threads", 0, "auto or a whole number from 1 to 64"),
        ("io_threads", "--io-threads", 65, "auto or a whole number from 1 to 64"),
        ("io_threads", "--io-threads", "4", "auto or a whole number from 1 to 64"),
        ("threads", "--threads", 0, "a whole number from 1 to 64"),
        ("io_shuffle", "--io-shuffle", -1, "a number from 0 to 86400"),
        ("keepalive_count", "--keepalive-count", 128, "None or a whole number from 1 to 127"),
        ("store_retry", "", (2.0, 1.0), f"a tuple of 2 numbers, each of them {SECONDS[9:]}, in rising order"),
        ("max_connections", "--max-connections", -1, "a whole number from 0 to 2147483647"),
        ("max_connections_per_address", "--max-connections-per-address", None, "a whole number from 0 to 2147483647"),
        ("idle_packet_timeout", "--idle-packet-timeout", 0, SECONDS),
        ("timeout_unit", "--timeout-unit", "min", "a text out of ms, s"),
        ("exceptions", "--exceptions", 1, "True or False"),
        ("ssl_key", "--ssl-key", "a\0b", "a text without NUL"),
        ("job_handle_prefix", "--job-handle-prefix", "é" * 22, f"a text of at most {HANDLE_PREFIX_SIZE} bytes"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_field_and_option(
    field: str, option: str, value: object, allowed: str
) -> None:
    place = f"{option} (Config.{field})" if option else f"Config.{field}"
    assert refusal(Config, **{field: value}) == f"{place} is {value!r}, and has to be {allowed}"


@pytest.mark.parametrize("field", ["ssl_ca_file", "ssl_certificate", "ssl_key", "ssl_verify_client"])
def test_what_only_tls_does_is_refused_without_it(field: str) -> None:
    said = refusal(Config, **{field: True if field == "ssl_verify_client" else "x"})
    option = field.replace("_", "-")
    assert said.startswith(
        f"--{option} (Config.{field}) needs --ssl (Config.ssl): without it everything would be served"
    )


@pytest.mark.parametrize("address", ["a..b", "x" * 64, "unix:", f"unix:/{'x' * 107}", "unix:/a\0b", "\udc80"])
def test_an_address_that_can_never_be_listened_on_is_refused(address: str) -> None:
    assert refusal(Config, listen=(address,)).startswith("--listen (Config.listen) is (")


@pytest.mark.parametrize("address", ["", "::1", "fe80::1%eth0", "bücher.example", f"unix:/{'x' * 106}", "unix:rel"])
def test_an_address_that_may_be_listened_on_is_taken(address: str) -> None:
    assert Config(listen=(address,)).listen == (address,)


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_field_refuses_what_it_is_not(settings: Any) -> None:
    """Whatever a field is given, it is either of its type and taken, or refused in one line that names the field."""
    given = {} if settings is Config else {"url": "sqlite:f"}
    for field in dataclasses.fields(settings):
        refused = 0
        for value in WRONG:
            try:
                settings(**{**given, field.name: value})
                assert is_of(marks_of(settings, field.name)[0], value)
            except ConfigError as error:
                refused += f"{settings.__name__}.{field.name}" in str(error)
        assert refused >= len(WRONG) - 3, field.name


def test_every_number_has_a_range_and_every_option_is_one() -> None:
    for settings in SETTINGS:
        for field in dataclasses.fields(settings):
            kind, *marks = marks_of(settings, field.name)
            options = [mark.option for mark in marks if isinstance(mark, By)]
            assert all(option.removeprefix("--") in OPTIONS for option in options), field.name
            if kind not in (bool, str):
                assert len(marks) > len(options), f"{field.name}: write its range beside its type"


def test_a_value_is_not_shown_at_length_and_a_password_not_at_all() -> None:
    assert len(refusal(Config, listen="x" * 10_000)) < 400
    assert "secret" not in refusal(StoreSettings, url="sqlite:f", password=["secret"])
    assert "secret" not in refusal(StoreSettings, url=["mysql://me:secret@h/d"])
    assert "secret" not in repr(StoreSettings(url="mysql://me:secret@h/d")) + repr(
        StoreSettings(url="", password="secret")
    )


# --- what a server is handed -------------------------------------------------------------


class Lacking:
    """Neither a plugin nor a store."""

    async def start(self, server: Server) -> None:
        """Start."""

    def __repr__(self) -> str:
        return "Lacking"


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        ([object()], "plugins[0] is <object object at "),
        (
            [Admin],
            "plugins[0] is <class 'gearfast.plugins.admin.Admin'>, which is not a plugin: it is a class: write Admin()",
        ),
        (
            [Admin(), Lacking()],
            "plugins[1] is Lacking, which is not a plugin: it has no stop (gearfast.Plugin)",
        ),
        (["admin"], "plugins[0] is 'admin', which is not a plugin: it has no start, no stop (gearfast.Plugin)"),
        (Lacking(), "Server's plugins are Lacking, and have to be a list: Server(config, [Admin()])"),
        ("admin", "Server's plugins are 'admin', and have to be a list: Server(config, [Admin()])"),
    ],
)
def test_a_plugin_that_is_none_is_refused_with_what_it_lacks(plugins: Any, said: str) -> None:
    assert refusal(Server, Config(), plugins).startswith(said)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (Lacking(), "Lacking is not a store: it has no open, no replay, no write, no close (gearfast.Store)"),
        (Sqlite, "<class 'gearfast.plugins.sqlite.store.Sqlite'> is not a store: it is a class: write Sqlite() ("),
        ("sqlite:f", "'sqlite:f' is not a store: it has no open, no replay, no write, no close (gearfast.Store)"),
        (
            StoreSettings(url="x"),
            "StoreSettings(table='', durability='full', timeout=5.0) is not a store: it has no open, ",
        ),
    ],
)
def test_a_store_that_is_none_is_refused_with_what_it_lacks(store: Any, said: str) -> None:
    assert refusal(Server, Config(), [], store).startswith(said)


def test_a_store_without_its_number_is_refused() -> None:
    store: Any = Sqlite(StoreSettings(url="sqlite:f"))
    store.largest = None
    assert refusal(Server, Config(), [], store).endswith("it has no number 'largest' (gearfast.Store)")


@pytest.mark.parametrize("config", [{}, {"port": 1}, "port=1", Config, 0])
def test_a_config_that_is_none_is_refused(config: Any) -> None:
    assert refusal(Server, config).endswith(" is not a Config: write Server(Config(port=4730))")


def test_a_listener_that_is_none_is_refused() -> None:
    with socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as deaf:
        for wrong in (idle, deaf, 3, "127.0.0.1:4730", None):
            said = refusal(Server, None, (), None, [wrong])
            assert said.startswith("listeners[0] is not a listening stream socket: ")
        assert refusal(Server, None, (), None, 7) == "listeners[0] is not a listening stream socket: 7"


@pytest.mark.parametrize("settings", [None, "sqlite:f", {"url": "sqlite:f"}, a_job(1)])
def test_make_store_takes_settings_only(settings: Any) -> None:
    assert refusal(make_store, settings).startswith("make_store takes StoreSettings, not ")
