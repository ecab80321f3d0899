"""Merging of command lines: an instance's arguments under those a person typed."""

from collections.abc import Iterable
from typing import Any

__all__ = ["ArgContainer", "flatten_arguments", "is_option"]


def is_option(token: str) -> bool:
    """Tell whether a token names an option: ``-x`` does, ``-5``, ``-`` and ``''`` do not."""
    return token.startswith("-") and token.lstrip("-")[:1].isalpha()


def flatten_arguments(arguments: Iterable[Any]) -> list[str]:
    """Return the arguments of an instance as a plain list of words.

    Args:
        arguments: Words or nested lists of words, as a site file has them
            (``[['--serial-number', 'X'], '--verbose']``); anything else is stringified.
    """
    words: list[str] = []
    for argument in arguments:
        if isinstance(argument, list | tuple):
            words.extend(flatten_arguments(argument))
        else:
            words.append(str(argument))
    return words


class ArgContainer:
    """A command line, cut into its options.

    An option is known by its name: ``--mode=y`` and ``--mode y`` are the same. One
    that occurs more than once is kept as often.

    Args:
        args: The words of the command line.
    """

    def __init__(self, args: Iterable[str]) -> None:
        self._positional: list[str] = []
        self._rest: list[str] = []
        self._groups: list[tuple[str, list[str]]] = []
        current = self._positional
        for word in args:
            if current is self._rest and self._rest:
                current.append(word)
            elif word == "--":
                current = self._rest
                current.append(word)
            elif is_option(word):
                current = [word]
                self._groups.append((word.partition("=")[0], current))
            else:
                current.append(word)

    def names(self) -> list[str]:
        """Return the names of the options, in order, each once."""
        return list(dict.fromkeys(name for name, _ in self._groups))

    def values(self, name: str) -> list[str]:
        """Return all values given to an option, in order; ``[]`` for a bare flag."""
        found: list[str] = []
        for group, words in self._groups:
            if group == name:
                _, equals, value = words[0].partition("=")
                found += [value] if equals else []
                found += words[1:]
        return found

    def update(self, stronger: "ArgContainer") -> None:
        """Take over another command line, whose options replace all of the same name."""
        replaced = set(stronger.names())
        kept = [(name, words) for name, words in self._groups if name not in replaced]
        self._groups = kept + [(name, list(words)) for name, words in stronger._groups]  # noqa: SLF001 - one class
        self._positional = list(stronger._positional or self._positional)  # noqa: SLF001
        self._rest = list(stronger._rest or self._rest)  # noqa: SLF001

    def to_list(self) -> list[str]:
        """Return the words; those before the first option come first, ``--`` comes last."""
        words = list(self._positional)
        for _, group in self._groups:
            words += group
        return words + self._rest
