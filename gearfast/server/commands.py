"""Commands of the admin text (protocol section 4): plugins add them by name, and a line goes to the one it names."""

import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from gearfast.config import LINE_TOKENS
from gearfast.errors import ConfigError

if TYPE_CHECKING:
    from gearfast.server.session import Session

log = logging.getLogger("gearfast")

Answer = bytes | Iterator[bytes] | None
"""All of it; or slice by slice, each sent before the next is asked for; None closes the connection."""
Answerer = Callable[[list[bytes], "Session"], Answer]
"""Takes the words of the line, the command's own first, and the connection it came on."""

NAME: Final = re.compile(r"[!-~]+(?: [!-~]+)?")
FAILED: Final = b"ERR INTERNAL_ERROR The+command+failed:+the+server's+log+says+why\r\n"
END: Final = b".\n"


class Command(NamedTuple):
    """One of them."""

    answer: Answerer
    arguments: str
    help: str
    most: int | None


class Commands:
    """All of a server's, from any number of plugins."""

    def __init__(self) -> None:
        self._known: dict[bytes, Command] = {}
        self._blamed: set[tuple[str, type[Exception]]] = set()

    def add(
        self,
        name: str,
        answer: Answerer,
        arguments: str = "",
        help: str = "",  # noqa: A002
        most: int | None = None,
    ) -> None:
        """Have lines that begin with ``name``, one or two words in lower case, answered by ``answer``.

        ``help`` lists it with its arguments and with what ``help`` says, in one line; without that it is not listed.
        A line of more than ``most`` words closes the connection, as stock does at its sixth word; None: none does.
        Of two names that fit a line the longer one has it. Raises ConfigError for a name that is taken, or cannot be.
        """
        if not NAME.fullmatch(name) or name != name.lower() or "\n" in arguments + help:
            raise ConfigError(f"{name!r} cannot be an admin command: one or two words in lower case, help in one line")
        if name.encode() in self._known:
            raise ConfigError(f"the admin command {name!r} is there already: two plugins cannot both answer it")
        self._known[name.encode()] = Command(answer, arguments, help, most)

    def answer(self, session: "Session", line: bytes) -> Answer:
        """Answer one line; None closes the connection, as stock does at the sixth word of its own commands.

        A mistake of a plugin ends its answer with an ERR line, and is logged once of each kind.
        """
        words = words_of(line)
        command = self._known.get(b" ".join(words[:2]).lower()) or self._known.get(words[0].lower())
        if len(words) > LINE_TOKENS and (command is None or (command.most is not None and len(words) > command.most)):
            return None
        if command is None:
            return unknown_command(words[0]) if self._known else None
        try:
            answer = command.answer(words, session)
            if not (answer is None or isinstance(answer, bytes) or hasattr(answer, "__next__")):
                raise TypeError(f"the answer is a {type(answer).__name__}, not bytes, an iterator of bytes, or None")
        except Exception as error:
            return self._failed(command, error)
        return answer if answer is None or isinstance(answer, bytes) else self._slices(command, answer)

    def _slices(self, command: Command, answer: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the slices as far as they are some."""
        try:
            for part in answer:
                if part is None:
                    return
                if not isinstance(part, bytes):
                    raise TypeError(f"a part of the answer is a {type(part).__name__}, not bytes")
                yield part
        except Exception as error:
            yield self._failed(command, error) + END

    def _failed(self, command: Command, error: Exception) -> bytes:
        """Blame the plugin, once for each kind of mistake; return what the peer is told."""
        plugin = getattr(command.answer, "__self__", command.answer)
        name = getattr(plugin, "__qualname__", type(plugin).__qualname__)
        if (name, type(error)) not in self._blamed:
            self._blamed.add((name, type(error)))
            log.error("The plugin %s has failed to answer an admin line: %r", name, error)
        return FAILED

    def listed(self) -> list[tuple[str, str]]:
        """Return what each is written like, and its help, by name."""
        return [
            (f"{name.decode()} {command.arguments}".rstrip(), command.help)
            for name, command in sorted(self._known.items())
            if command.help
        ]


def words_of(line: bytes) -> list[bytes]:
    """Split a line at runs of spaces; a space at either end makes an empty word."""
    words = line.split(b" ")
    return [word for at, word in enumerate(words) if word or at in (0, len(words) - 1)]


def unknown_command(word: bytes) -> bytes:
    """Stock's line for a command it does not know, the missing separator included (protocol section 4.3)."""
    return b"ERR UNKNOWN_COMMAND Unknown+server+command" + word + b"\r\n"
