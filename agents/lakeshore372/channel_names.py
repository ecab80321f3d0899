"""What the names that channels have on the unit become in field names. No I/O."""

import re
from collections import Counter
from collections.abc import Mapping

__all__ = ["channel_stem", "channel_stems"]


def channel_stem(name: str, channel: int) -> str:
    """Turn a channel's name into the beginning of its field names.

    ``Channel 01`` becomes ``Channel_01``. ``Channel_`` and the number stand in for a name that
    leaves no legal field name (letters, digits and underscores, the first a letter), and for one
    that is another channel's ``Channel_`` and number.
    """
    own = f"Channel_{channel:02d}"
    stem = re.sub(r"[^A-Za-z0-9_]", "", name.strip().replace(" ", "_"))
    if not re.match(r"[A-Za-z]", stem) or re.fullmatch(r"Channel_\d\d", stem):
        return own
    return stem


def channel_stems(names: Mapping[int, str]) -> dict[int, str]:
    """Turn the names of channels into the beginnings of their field names, all different.

    Every one of several channels with the same name gets ``Channel_`` and its number. Capital or
    not makes no difference, as live monitors write all names small.
    """
    stems = {channel: channel_stem(name, channel) for channel, name in names.items()}
    counts = Counter(stem.casefold() for stem in stems.values())
    return {
        channel: stem if counts[stem.casefold()] == 1 else f"Channel_{channel:02d}"
        for channel, stem in stems.items()
    }
