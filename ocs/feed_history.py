"""The recent messages of a feed, kept so that nobody who was away misses one."""

from collections.abc import Iterator
from typing import Any

import attrs
import msgpack

__all__ = ["FeedHistory", "KeptMessage"]

DEFAULT_MAX_BYTES = 64 * 2**20
DEFAULT_MAX_AGE_S = 3600.0


@attrs.frozen
class KeptMessage:
    """One published message: its number, when it was published (Unix s), and its packed form."""

    seq: int
    time: float
    packed: bytes

    def unpack(self) -> Any:
        """Return the message as it was given."""
        return msgpack.unpackb(self.packed)


class FeedHistory:
    """A bounded queue of messages, numbered from 0 without holes; for one thread.

    Messages are kept packed: about a fifth of the memory of the Python objects, and their size
    is known exactly.

    Args:
        max_bytes: Upper limit of the packed messages together.
        max_age_s: Messages older than this, seen from the newest, go (unless `append` is told to
            keep them: nobody has had them yet).
    """

    def __init__(
        self, max_bytes: int = DEFAULT_MAX_BYTES, max_age_s: float = DEFAULT_MAX_AGE_S
    ) -> None:
        self.max_bytes = max_bytes
        self.max_age_s = max_age_s
        self.next_seq = 0
        # By number. A deque would make every look into its middle a walk.
        self._kept: dict[int, KeptMessage] = {}
        self._oldest = 0
        self._bytes = 0

    @property
    def oldest_seq(self) -> int:
        """Number of the oldest message still here (`next_seq` if there is none)."""
        return self._oldest

    @property
    def size_bytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def append(self, message: Any, time: float, keep_from: int | None = None) -> int:
        """Keep a message published at `time` (Unix s) and return its number.

        Args:
            message: Anything msgpack can carry.
            time: Unix time, s.
            keep_from: Messages from this number on may grow older than `max_age_s`; the limit of
                bytes holds for all.
        """
        return self.append_packed(msgpack.packb(message), time, keep_from)

    def append_packed(self, packed: bytes, time: float, keep_from: int | None = None) -> int:
        """As `append`, for a message that is packed already."""
        seq = self.next_seq
        self.next_seq += 1
        self._kept[seq] = KeptMessage(seq, time, packed)
        self._bytes += len(packed)
        ageless = self.next_seq if keep_from is None else keep_from
        while self._kept and (
            self._bytes > self.max_bytes
            or (self._oldest < ageless and self._kept[self._oldest].time < time - self.max_age_s)
        ):
            self._bytes -= len(self._kept.pop(self._oldest).packed)
            self._oldest += 1
        return seq

    def count_unkept(self) -> int:
        """Take the next number for a message that is not kept, and drop those before it."""
        seq = self.next_seq
        self.next_seq += 1
        self._kept.clear()
        self._bytes = 0
        self._oldest = self.next_seq
        return seq

    def since(self, first_seq: int, max_bytes: int | None = None) -> Iterator[KeptMessage]:
        """Yield the messages from number `first_seq` on, oldest first.

        Args:
            first_seq: Where to begin; earlier than the oldest begins with the oldest.
            max_bytes: Stop before the sum of their sizes passes this, but yield at least one.
        """
        sent = 0
        start = max(first_seq, self._oldest)
        for seq in range(start, self.next_seq):
            kept = self._kept[seq]
            sent += len(kept.packed)
            if max_bytes is not None and sent > max_bytes and seq > start:
                return
            yield kept
