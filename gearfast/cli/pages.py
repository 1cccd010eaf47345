"""What is made from the table of options for others to show: the manual page, and completions for bash and zsh.

`python -m gearfast.cli.pages packaging` writes them there: `gearfast.1`, `bash/gearfast`, `zsh/_gearfast`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from gearfast.cli.options import GROUPS, OPTIONS, STORE_CHOICE, STORE_HELP, STORE_OPTIONS, Option, shown
from gearfast.cli.readers import OneOf
from gearfast.config import VERSION
from gearfast.logs import LEVELS

FILES = {"FILE", "DIR", "PATH"}
"""What stands for a value that is the name of a file."""
COMMANDS = [usage.split()[0] for usage in STORE_HELP]
"""Behind ``gearfast store``."""


def values(option: Option) -> tuple[str, ...]:
    """Return the words that an option takes; empty: it takes others too."""
    if option.name == "verbose":
        return tuple(LEVELS)
    return option.read.words if isinstance(option.read, OneOf) else ()


# --- the manual page ---


def quoted(text: str) -> str:
    """Return a text as roff has it: no line begins a request, and a dash is a dash."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def entry(option: Option) -> list[str]:
    """Return the lines of an option."""
    letter = f"\\fB\\-{option.short}\\fR, " if option.short else ""
    value = f" \\fI{quoted(option.value)}\\fR" if option.value else ""
    return [".TP", f"{letter}\\fB\\-\\-{quoted(option.name)}\\fR{value}", quoted(option.told())]


def manual() -> str:
    """Return gearfast(1)."""
    lines = [
        f'.TH GEARFAST 1 "" "gearfast {VERSION}" "User Commands"',
        ".SH NAME",
        "gearfast \\- a drop\\-in Gearman job server",
        ".SH SYNOPSIS",
        ".B gearfast\n[\\fIoptions\\fR]",
        ".br\n.B gearfast store\n\\fIlist\\fR|\\fIcount\\fR|\\fIexport\\fR|\\fIimport\\fR [\\fIoptions\\fR]",
        ".SH DESCRIPTION",
        "A Gearman job server that takes gearmand's own options; those marked [gearfast] are its own. The second form",
        "looks into a store of jobs, and moves them.",
        ".SH OPTIONS",
    ]
    for group in GROUPS:
        lines.append(f".SS {quoted(group.title)}")
        for option in group.options:
            if option.help:
                lines += entry(option)
    lines.append(".SH GEARFAST STORE")
    for usage, text in STORE_HELP.items():
        lines += [".TP", f"\\fB{quoted(usage)}\\fR", quoted(text)]
    for option in STORE_OPTIONS.options:
        lines += entry(option)
    lines += [
        ".SH FILES",
        f"\\fI{OPTIONS['config-file'].default}\\fR, or the file that \\-\\-config\\-file names, has options",
        "written as on the command line, such as \\fB\\-\\-port=4731\\fR, between spaces and line ends. There are",
        "neither quotes nor comments: words that are not options are ignored, but an option after a # counts. The",
        "command line wins.",
        ".SH SIGNALS",
        "SIGTERM and SIGINT stop it, SIGUSR1 stops it when the running jobs have ended; SIGHUP reopens the log and",
        "reads the TLS files again.",
        ".SH EXIT STATUS",
        "0 after such an end; 1 when it could not start, with the reason in one line.",
    ]
    return "\n".join(lines) + "\n"


# --- completions ---


def bash() -> str:
    """Return a completion for bash."""
    cases = []
    for option in (*shown(), *STORE_OPTIONS.options):
        names = f"--{option.name}" + (f"|-{option.short}" if option.short else "")
        if words := values(option):
            cases.append(f"    {names}) COMPREPLY=($(compgen -W '{' '.join(words)}' -- \"$word\")); return ;;")
        elif option.value in FILES:
            cases.append(f'    {names}) COMPREPLY=($(compgen -f -- "$word")); return ;;')
        elif option.value:
            cases.append(f"    {names}) return ;;")
    own = " ".join(f"--{option.name}" for option in shown())
    store = " ".join(f"--{name}" for name in (*(option.name for option in STORE_OPTIONS.options), *STORE_CHOICE))
    return "\n".join(
        [
            "# Completion of gearfast for bash; made from its table of options.",
            "_gearfast() {",
            "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options",
            "    [[ $word == = ]] && word=",
            "    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD-2]}",
            "    case $before in",
            *cases,
            "    esac",
            f"    options='{own}'",
            "    if [[ ${COMP_WORDS[1]} == store ]]; then",
            f"        options='{store}'",
            f"        ((COMP_CWORD == 2)) && [[ $word != -* ]] && options='{' '.join(COMMANDS)}'",
            "    elif ((COMP_CWORD == 1)) && [[ $word != -* ]]; then",
            "        options=store",
            "    fi",
            '    COMPREPLY=($(compgen -W "$options" -- "$word"))',
            "}",
            "complete -F _gearfast gearfast",
            "",
        ]
    )


def zsh() -> str:
    """Return a completion for zsh."""

    def spec(option: Option) -> str:
        told = option.help.partition(". ")[0].rstrip(".").translate(str.maketrans("[]':", "()’;"))
        words = values(option)
        choice = f"({' '.join(words)})" if words else "_files" if option.value in FILES else ""
        value = f":{option.value}:{choice}" if option.value else ""
        return f"    '{'*' * option.many}--{option.name}{'=' * bool(option.value)}[{told}]{value}' \\"

    return "\n".join(
        [
            "#compdef gearfast",
            "# Completion of gearfast for zsh; made from its table of options.",
            "if ((CURRENT > 2)) && [[ ${words[2]} == store ]]; then",
            "  _arguments -S \\",
            *map(spec, STORE_OPTIONS.options),
            *(spec(OPTIONS[name]) for name in STORE_CHOICE if name != "help"),
            f"    '2:command:({' '.join(COMMANDS)})' '*:file:_files'",
            "else",
            "  _arguments -S \\",
            *map(spec, shown()),
            "    '1:command:(store)'",
            "fi",
            "",
        ]
    )


PAGES: dict[str, Callable[[], str]] = {"gearfast.1": manual, "bash/gearfast": bash, "zsh/_gearfast": zsh}


def main(words: list[str]) -> int:
    """Write them into a folder."""
    if len(words) != 1:
        print(__doc__)
        return 2
    for name, page in PAGES.items():
        path = Path(words[0]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
