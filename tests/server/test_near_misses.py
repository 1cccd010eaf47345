"""Submit parameters that are nearly right, and those that are: of every key, ten thousand of each."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from gearfast import Server
from gearfast.protocol import parameters
from tests.support import wire
from tests.support.inside import Talk, played

KEYS = parameters.keys()
MANY = 10_000
AT_ONCE = 250

Dice = random.Random
Maker = Callable[[Dice], str]


def duration(dice: Dice, most: float = 36_500 * 86_400.0) -> str:
    """One that is above 0 and at most so long."""
    seconds = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    units = sorted(dice.sample(list(seconds), dice.randint(1, 3)), key=list(seconds).index)
    numbers = [dice.choice([dice.randint(1, 59), round(dice.uniform(0.001, 90), 3)]) for _ in units]
    text = "".join(f"{number}{unit}" for number, unit in zip(numbers, units, strict=True))
    total = sum(number * seconds[unit] for number, unit in zip(numbers, units, strict=True))
    return text if total <= most else f"{dice.randint(1, int(most))}s"


def moment(dice: Dice) -> str:
    zone = dice.choice(["Z", "z", "+01:00", "-0930", "+23:59", "-00"])
    date = f"{dice.randint(1970, 9999)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
    clock = f"{dice.randint(0, 23):02}:{dice.randint(0, 59):02}" + dice.choice(["", ":07", ":59.5", ":00.123456"])
    return dice.choice([f"{date}T{clock}{zone}", f"{date} {clock}{zone}", str(dice.randint(10**8, 10**11 - 1)), "0"])


def backoff(dice: Dice) -> str:
    short, jitter = dice.randint(1, 50), dice.choice(["", "+jitter"])
    return dice.choice([f"fixed:{duration(dice)}", f"exponential:{short}s..{short + dice.randint(0, 50)}m"]) + jitter


GOOD: dict[str, Maker] = {
    "delay": lambda dice: dice.choice([duration(dice), "0s", "36500d"]),
    "at": moment,
    "priority": lambda dice: dice.choice(["high", "normal", "low"]),
    "retries": lambda dice: str(dice.choice([0, 1000, dice.randint(0, 1000)])),
    "backoff": backoff,
    "timeout": duration,
    "ttl": lambda dice: (
        f"{dice.randint(1, 36_499)}d{dice.randint(1, 59)}{dice.choice(['h', 'm', 's', 'ms'])}"
    ),  # not over at once
    "unique_ttl": lambda dice: dice.choice([duration(dice, 86_400.0), "24h", "0s", "1d"]),
    "duplicate": lambda dice: dice.choice(["keep", "replace"]),
    "graceful": lambda dice: dice.choice(["free", "counted"]),
    "cron": lambda dice: f"{dice.randint(0, 59)} {dice.randint(0, 23)} * * {dice.choice(['*', 'mon-fri', '0'])}",
    "tz": lambda dice: dice.choice(["Europe/Berlin", "UTC", "America/New_York"]),
    "overlap": lambda dice: dice.choice(["skip", "queue"]),
    "catchup": lambda dice: dice.choice(["none", "once"]),
}
APART = [{"delay", "at"}, {"delay", "cron"}, {"at", "cron"}, {"cron", "unique_ttl"}, {"cron", "duplicate"}]
OF_SCHEDULE = {"tz", "overlap", "catchup"}
WRONG_CRONS = {
    "60 * * * *": "60",
    "* 24 * * *": "24",
    "* * 0 * *": "0",
    "* * * 13 *": "13",
    "* * * *": "* * * *",
    "x": "x",
}
ODD = "\t\x1b\xff\u00e9 =:.+-x0"


def spoilt(dice: Dice, value: str) -> str:
    """A value with one mistake in it, or perhaps none."""
    at = dice.randrange(len(value) + 1)
    return dice.choice(
        [
            value[:at] + dice.choice(ODD) + value[at:],
            value[:at] + value[at + 1 :],
            value[:at],
            value[at:],
            value + value,
            value.swapcase(),
            f" {value}",
            f"-{value}",
            f"{value}0",
            f"{value}..{value}",
            "".join(dice.sample(value, len(value))),
            "",
        ]
    )


def is_good(key: str, value: str) -> bool:
    try:
        return bool(
            parameters.read(
                f"cron=* * * * *;{key}={value}".encode() if key in OF_SCHEDULE else f"{key}={value}".encode()
            )
        )
    except ValueError:
        return False


def pair(dice: Dice, key: str) -> str:
    return f"{key}={GOOD[key](dice)}"


def wrong_value(dice: Dice) -> tuple[str, list[str]]:
    """A text, and what is to be said of it: the key, what was read, and what is allowed."""
    while True:
        key = dice.choice([key for key in GOOD if key not in OF_SCHEDULE | {"cron"}])
        value = spoilt(dice, GOOD[key](dice))
        if not is_good(key, value) and len(value.encode()) <= 60:
            read = repr(value.encode())[2:-1]
            return f"{key}={value}", [f"the submit parameter {key} has to be {KEYS[key]}, and not '{read}'"]


def wrong_key(dice: Dice) -> tuple[str, list[str]]:
    while True:
        name = spoilt(dice, dice.choice(list(KEYS)))
        if name not in KEYS and "=" not in name:
            read = repr(name.encode())[2:-1]
            return f"{name}=5s", [f"'{read}' is not a submit parameter; there are {', '.join(KEYS)}"]


def no_pair(dice: Dice) -> tuple[str, list[str]]:
    text = dice.choice([dice.choice(list(KEYS)), "", "5s", "delay 5s", "delay:5s"])
    return text, [f"a submit parameter is written key=value, and not '{text}'"]


def twice(dice: Dice) -> tuple[str, list[str]]:
    key = dice.choice(list(GOOD))
    first = "" if key not in OF_SCHEDULE else "cron=* * * * *;"
    return f"{first}{pair(dice, key)};{pair(dice, key)}", [f"the submit parameter {key} is given twice"]


def together(dice: Dice) -> tuple[str, list[str]]:
    first, second = dice.sample(sorted(dice.choice(APART)), 2)
    return f"{pair(dice, first)};{pair(dice, second)}", [
        f"the submit parameters {second} and {first} cannot be given together"
    ]


def alone(dice: Dice) -> tuple[str, list[str]]:
    key = dice.choice(sorted(OF_SCHEDULE))
    return pair(dice, key), [f"the submit parameter {key} is for a cron, and there is none"]


def of_functions(dice: Dice) -> tuple[str, list[str]]:
    key = dice.choice(["dead_letter_max", "dead_letter_bytes"])
    return f"{key}=5", [f"{key} is not asked of a single job"]


def wrong_cron(dice: Dice) -> tuple[str, list[str]]:
    text, read = dice.choice(list(WRONG_CRONS.items()))
    return f"cron={text}", ["cron", f"not '{read}'"]


WRONG = [*[wrong_value] * 6, wrong_key, no_pair, twice, together, alone, of_functions, wrong_cron]


def refused(dice: Dice) -> tuple[str, list[str]]:
    """A text with a mistake in it, perhaps behind other keys, and what is to be said of it."""
    made = dice.choice(WRONG)
    text, said = made(dice)
    if made in (wrong_value, wrong_key, no_pair):
        others = [key for key in ("graceful", "ttl", "timeout") if not text.startswith(f"{key}=")]
        before = [pair(dice, key) for key in dice.sample(others, dice.randint(0, len(others)))]
        text = ";".join([*before, text])
    return text, said


def accepted(dice: Dice) -> str:
    """A text without mistakes."""
    while True:
        keys = set(dice.sample(list(GOOD), dice.randint(1, 6)))
        if keys & OF_SCHEDULE:
            keys.add("cron")
        text = ";".join(pair(dice, key) for key in dice.sample(sorted(keys), len(keys)))
        if not any(apart <= keys for apart in APART) and len(text) <= 255:
            return text


def test_each_mistake_is_told_with_its_key_what_was_read_and_what_is_allowed() -> None:
    """Ten thousand of them, and nothing is queued."""
    dice = Dice(1)

    async def scene(server: Server, client: Talk) -> None:
        for _ in range(MANY // AT_ONCE):
            wrong = [refused(dice) for _ in range(AT_ONCE)]
            for text, _ in wrong:
                client.say(wire.SUBMIT_JOB_BG, f"f;{text}", "u", payload="x")
            for text, parts in wrong:
                answer = await client.hear()
                assert answer.name == "ERROR", text
                code, _, said = answer.body.decode().partition("\0")
                assert code == "INVALID_PARAMETER", text
                assert all(part in said for part in parts), (text, said)
        assert server.broker.job_count == 0
        assert list(server.functions()) == []

    played(scene)


def test_what_is_right_is_accepted_and_kept_as_it_was_given() -> None:
    """Also when it was read before: from what is remembered comes the same."""
    dice = Dice(2)
    lasting = {
        "retries",
        "backoff",
        "timeout",
        "ttl",
        "unique_ttl",
        "duplicate",
        "graceful",
        "cron",
        "tz",
        "overlap",
        "catchup",
    }

    async def scene(server: Server, client: Talk) -> None:
        for turn in range(MANY // AT_ONCE):
            texts = [text for text in (accepted(dice) for _ in range(AT_ONCE // 2)) for _ in range(2)]
            for number, text in enumerate(texts):
                client.say(wire.SUBMIT_JOB_BG, f"f{turn};{text}", f"u{number}", payload="x")
            for text in texts:
                answer = await client.hear()
                assert answer.name == "JOB_CREATED", (text, answer.body)
                found = server.broker.show_job(answer.body)
                assert found is not None
                asked = [pair for pair in text.split(";") if pair.partition("=")[0] in lasting]
                assert found[9].decode() == ";".join(asked), text

    played(scene)


@pytest.mark.parametrize("key", [key for key in KEYS if key not in OF_SCHEDULE])
def test_what_is_read_says_no_more_than_what_was_given(key: str) -> None:
    dice = Dice(key)
    for _ in range(500):
        text = pair(dice, key).encode()
        assert list(parameters.read(text)) == [key]
        assert parameters.read(text) == parameters.read(text)


def test_each_key_has_its_makers() -> None:
    assert list(GOOD) == list(KEYS)
