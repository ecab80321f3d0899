"""Find out which fields a target of Grafana means (spec/simplejson-api.md, 2.2)."""

import re
from collections.abc import Collection

import attrs

from sisock.http.patterns import Effort, PatternError, glob_to_pattern, matching
from sisock.uris import split_name

__all__ = ["MAX_SERIES", "Expansion", "expand", "select"]

MAX_SERIES = 500
"""Most fields that one target may stand for."""

_MOST_CHARS = 100_000  # what the alternatives of a target may come to, each written out

_ESCAPE = re.compile(r"\\(.)")
_SPECIAL = re.compile(r"(?<!\\)(?:\\\\)*[\^$*+?()|\[\]{}]")


@attrs.frozen
class Expansion:
    """What a target means.

    Attributes:
        names: ``NODE::field`` names, in order.
        known: Whether all of them are in the list that was searched. If not, a newer list may
            give a better answer.
        trouble: What is wrong with the target, for a person; empty if nothing is.
    """

    names: tuple[str, ...]
    known: bool
    trouble: str = ""


def expand(target: str, known_names: Collection[str], effort: Effort | None = None) -> Expansion:
    """Return the fields a target means.

    In turn: the exact name; the name with backslashes taken away, as Grafana escapes what comes
    from a variable; each alternative of ``(p|q)`` (SimpleJson's form of several values) or
    ``{p,q}`` (Infinity's); names that match as a pattern or a glob. A plain name that is not
    known is kept: its node may know it.

    Args:
        target: As it came.
        known_names: Names known so far, ``NODE::field``; best a dict or set.
        effort: What is left for the patterns of this request.
    """
    plain = _plain(target, known_names)
    if plain is not None:
        return _of_names((plain,), known_names)
    alternatives = _alternatives(target)
    if alternatives is not None:
        names = [_plain(part, known_names) for part in alternatives]
        if all(name is not None for name in names):
            return _of_names([name for name in names if name is not None], known_names)
    found, trouble = _matching(target, known_names, effort)
    if found:
        return _limited(found, known=True)
    return Expansion((), known=False, trouble=trouble or f"no field matches {target!r}")


def select(wanted: str, names: Collection[str]) -> list[str]:
    """Return those of ``names`` that ``wanted`` means: a name, ``{p,q}``, a pattern or a glob."""
    for parts in ([wanted], _alternatives(wanted) or []):
        plain = [part for part in dict.fromkeys(map(_unescaped, parts)) if part in names]
        if plain:
            return plain
    return _matching(wanted, names)[0]


def _matching(
    text: str, names: Collection[str], effort: Effort | None = None
) -> tuple[list[str], str]:
    """Return the names that match a pattern or a glob; or none, and what is wrong with it."""
    trouble = ""
    for pattern in (text, glob_to_pattern(text)):
        try:
            found = matching(pattern, names, effort)
        except PatternError as error:
            trouble = str(error)
            continue
        if found:
            return found, ""
    return [], trouble


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)


def _plain(text: str, known_names: Collection[str]) -> str | None:
    """Return the name ``text`` spells, or None if it is a pattern or no name at all."""
    if text in known_names:
        return text
    unescaped = _unescaped(text)
    if unescaped in known_names:
        return unescaped
    if _SPECIAL.search(text) or split_name(unescaped) is None:
        return None
    return unescaped


def _of_names(names: Collection[str], known_names: Collection[str]) -> Expansion:
    unique = list(dict.fromkeys(names))
    return _limited(unique, known=all(name in known_names for name in unique))


def _limited(names: list[str], *, known: bool) -> Expansion:
    if len(names) <= MAX_SERIES:
        return Expansion(tuple(names), known)
    trouble = f"the target stands for {len(names)} fields; shown are the first {MAX_SERIES}"
    return Expansion(tuple(names[:MAX_SERIES]), known, trouble)


def _alternatives(target: str) -> list[str] | None:
    """Split ``a(p|q)b`` or ``a{p,q}b`` into ``apb`` and ``aqb``.

    None if it is of neither form, or far longer than any list of names.
    """
    for opening, bar, closing in ("(|)", "{,}"):
        found = _split(target, opening, bar, closing)
        if found is not None:
            return found
    return None


def _split(target: str, opening: str, separator: str, closing: str) -> list[str] | None:
    begin = _find(target, opening, 0)
    if begin is None:
        return None
    end = _find(target, closing, begin + 1)
    if end is None or _find(target, opening, begin + 1) is not None:
        return None
    parts = []
    at = begin + 1
    while (bar := _find(target, separator, at)) is not None and bar < end:
        parts.append(target[at:bar])
        at = bar + 1
    parts.append(target[at:end])
    if len(parts) * (begin + len(target) - end) > _MOST_CHARS:
        return None
    return [target[:begin] + part + target[end + 1 :] for part in parts]


def _find(text: str, char: str, at: int) -> int | None:
    """Return the place of the first ``char`` that no backslash stands before."""
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == char:
            return at
        at += 1
    return None
