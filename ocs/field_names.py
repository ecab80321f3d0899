"""What a data field may be called, and how a bad name is repaired.

Source: spec/ocs-protocol.md, section 7.6.
"""

import re
from collections.abc import Iterable

__all__ = ["MAX_LENGTH", "check_field_name", "repair_field_name", "repair_field_names"]

MAX_LENGTH = 255

_VALID = re.compile(r"_*[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def check_field_name(name: str) -> None:
    """Accept a valid field name.

    Raises:
        ValueError: It is empty, too long, has a character that is not allowed, or no letter
            after its leading underscores.
    """
    if not name:
        raise ValueError("Empty field name encountered; a field name has 1 to 255 characters.")
    if len(name) > MAX_LENGTH:
        raise ValueError(
            f"Field name '{name}' exceeds the valid length of {MAX_LENGTH} characters."
        )
    if bad := re.search(r"[^A-Za-z0-9_]", name):
        raise ValueError(
            f"Field name '{name}' has the invalid character '{bad.group()}'; "
            "allowed are ASCII letters, digits and underscores."
        )
    if not _VALID.fullmatch(name):
        raise ValueError(
            f"Field name '{name}' does not start with a letter (after leading underscores)."
        )


def repair_field_name(name: str) -> str:
    """Return a valid name as close to `name` as the rules allow."""
    if not name:
        return "invalid_field"
    kept = re.sub(r"[^A-Za-z0-9_]", "", name.replace(" ", "_"))
    body = kept.lstrip("_")
    underscores = kept[: len(kept) - len(body)]
    body = re.sub(r"^[^A-Za-z]+", "", body)
    repaired = (underscores + body)[:MAX_LENGTH]
    if not _VALID.fullmatch(repaired):
        # Nothing was left but, at most, underscores.
        return repair_field_name("invalid_field_" + name)
    return repaired


def repair_field_names(names: Iterable[str]) -> dict[str, str]:
    """Repair the names of a block together, so that no two become the same.

    Returns:
        Each given name with its valid one, in the given order; if all are valid, unchanged.
        Names that collide get ``_01``, ``_02``, ... in the order given.
    """
    repaired: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        wanted = repair_field_name(name)
        free = wanted
        number = 0
        while free in taken:
            number += 1
            suffix = f"_{number:02d}"
            free = wanted[: MAX_LENGTH - len(suffix)] + suffix
        taken.add(free)
        repaired[name] = free
    return repaired
