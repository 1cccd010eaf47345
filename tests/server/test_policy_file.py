"""The file of `--policy`: what it may say, and what is said of its mistakes."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from gearfast import Broker
from gearfast.errors import ConfigError
from gearfast.protocol import parameters
from gearfast.server.policies import Policies
from gearfast.server.policyfile import read_policy_file
from tests.server.test_policies import file_of

KEYS = ", ".join(parameters.keys(for_function=True))


def test_a_file_has_the_values_of_each_pattern(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        """
        [functions."mail.*"]
        retries = 5                                   # a number or a text
        backoff = "exponential:1s..5m+jitter"
        [functions.video]
        timeout = '30m'
        retries = "0"
        [functions]
        "grüße[0-9]".dead_letter_bytes = "64M"
        """,
    )
    assert read_policy_file(str(path)) == {
        b"mail.*": {"retries": "5", "backoff": "exponential:1s..5m+jitter"},
        b"video": {"timeout": "30m", "retries": "0"},
        "grüße[0-9]".encode(): {"dead_letter_bytes": "64M"},
    }
    for nothing in ("", "# nothing yet\n", "[functions]\n"):
        assert read_policy_file(str(file_of(tmp_path, nothing))) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[functions."a.*"]\nretries = 1\nretry = 5\n', f', line 3, [functions."a.*"] retry: \'retry\' is not the key '
         f"of a policy; there are {KEYS}"),
        ('[functions."a.*"]\n\nat = 0\n', f', line 3, [functions."a.*"] at: \'at\' is not the key of a policy; there '
         f"are {KEYS}"),
        ('[functions.a]\ncron = "0 3 * * *"', f', line 2, [functions."a"] cron: \'cron\' is not the key of a policy; '
         f"there are {KEYS}"),
        ("[functions.a]\nretries = -1", ', line 2, [functions."a"] retries: the submit parameter retries has to be a '
         "number from 0 to 1000, and not '-1'"),
        ('[functions.a]\r\nttl = "5s"\r\ntimeout = "5"\r\n', ', line 3, [functions."a"] timeout: the submit parameter '
         "timeout has to be a duration above 0, such as 500ms, 30s, 20m or 1h30m, and not '5'"),
        ("[functions.a]\nretries = true", ', line 2, [functions."a"] retries: it has to be a text or a whole number, '
         "such as retries = 5"),
        ("[functions.a]\nretries = 1.5", ', line 2, [functions."a"] retries: it has to be a text or a whole number, '
         "such as retries = 5"),
        ('[functions.a]\nttl = "1s;retries=5"', ', line 2, [functions."a"] ttl: there is a semicolon in it: one key '
         "has one value"),
        ('[functions.a]\n"ttl=1s;retries" = 5', ', line 2, [functions."a"] "ttl=1s;retries": there is a semicolon in '
         "it: one key has one value"),
        ('[functions.a]\ntz = "Europe/Nowhere"', ', line 2, [functions."a"] tz: tz has to be a zone of the zone '
         "database, such as Europe/Berlin, not 'Europe/Nowhere'"),
        ('[functions.a]\nbackoff = """\\\n  fixed:x\\\n  """\nttl = "1s"', ', line 2, [functions."a"] backoff: the '
         "submit parameter backoff has to be fixed:10s or exponential:1s..5m, perhaps with +jitter behind it, and not "
         "'fixed:x'"),
        ("[functions.mail.high]\nretries = 5", ', line 1, [functions."mail"] high: a name with dots in it has '
         'quotation marks: write [functions."mail.high"]'),
        ("\n[functions]\nmail = 5", ', line 3: "mail" is no table: write [functions."mail"]'),
        ("functions = 5", ', line 1: "functions" does not belong there: write [functions."NAME"]'),
        ('[functions.a]\nretries = 5\n["mail.*"]\nretries = 5', ', line 3: "mail.*" does not belong there: write '
         '[functions."NAME"]'),
        ('[functions."a\\n.\\u2028b"]\nretries = 1\n\u2028', None),
        ('[functions."a\\nb"]\n# a line \u2028 that is one\nretries = "x"', ', line 3, [functions."a\\nb"] retries: '
         "the submit parameter retries has to be a number from 0 to 1000, and not 'x'"),
        ("[functions.a\nretries = 5", " cannot be read: Expected ']' at the end of a table declaration (at line 1, "
         "column 13)"),
        ("[functions.a]\nretries = 1\nretries = 2\n", " cannot be read: Cannot overwrite a value (at line 3, column "
         "12)"),
        (f"a = {'[' * 100_000}", " cannot be read: "),
        (f"[functions.a]\nretries = 0x{'f' * 6000}", ', line 2, [functions."a"] retries: '),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_with_its_line_and_key(tmp_path: Path, text: str, said: str | None) -> None:
    path = file_of(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_policy_file(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    assert said is None or message.removeprefix("the policy file ").removeprefix(str(path)).startswith(said), message


def test_a_mistake_is_found_in_a_long_file_without_reading_it_line_by_line(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, "".join(f'[functions."f{n}"]\nretries = {n}\n' for n in range(1002)) + "# the end\n" * 2000
    )
    began = monotonic()
    with pytest.raises(ConfigError, match=r'line 2004, \[functions."f1001"\] retries: '):
        read_policy_file(str(path))
    assert monotonic() - began < 5.0


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (Path("a\0b"), "embedded null byte"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_policy_file(str(path))
        assert str(caught.value) == f"the policy file {path} cannot be read: {why}"
    (tmp_path / "latin").write_bytes(b'[functions."\xe4"]\nretries = 1\n')
    with pytest.raises(ConfigError, match="cannot be read: 'utf-8' codec"):
        read_policy_file(str(tmp_path / "latin"))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("n" * 8000, None),
        ("ü" * 200, None),
        ("n" * 254 + "*", None),
        ("n" * 255 + "*", "a pattern may have 255 bytes"),
        ("ü" * 127 + "??", "a pattern may have 255 bytes"),
        ("[" + "n" * 255, "a pattern may have 255 bytes"),
        ("*a" * 16, None),
        ("*a" * 17, "a pattern may have 16 stars"),
    ],
    ids=lambda given: str(given)[-20:],
)
def test_the_file_takes_the_names_and_patterns_that_an_administrator_may_say(
    tmp_path: Path, pattern: str, said: str | None
) -> None:
    path = file_of(tmp_path, f'# policies\n[functions."{pattern}"]\nretries = 1\n')
    policies = Policies(Broker(b"H:t"), "")
    if said is None:
        assert read_policy_file(str(path)) == {pattern.encode(): {"retries": "1"}}
        policies.set(pattern.encode(), {"retries": "1"})
        assert policies.said[pattern.encode()].values == {"retries": "1"}
    else:
        with pytest.raises(ConfigError) as caught:
            read_policy_file(str(path))
        assert str(caught.value) == f"{path}, line 2: {said}"
        with pytest.raises(ValueError, match=said):
            policies.set(pattern.encode(), {"retries": "1"})
