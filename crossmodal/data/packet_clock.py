"""Clock of a file's packets: where recordings are joined, and which pictures never came out of the decoder."""

from fractions import Fraction
from typing import Any

JOINT = Fraction(1)
"""Seconds by which times go back at a joint of two recordings; smaller steps back are a container's."""

DROPPING = frozenset({"hevc", "vvc"})
"""Codecs whose decoder leaves out a picture that it cannot decode, and says nothing; a packet of theirs is a picture.

Others report an error, mark the picture as corrupt, or cannot know.
"""

Mark = tuple[int, int]
"""Part of a file, and a time in it in ticks."""


class PacketClock:
    """Follows the packets of all streams of a file.

    Where times go back, as where two transport streams were joined end to end, the next part begins at the later end
    of all streams so far: sound and picture are moved by the same time and stay together.
    """

    def __init__(self, stream: Any):
        """Starts at the first part, which is not moved.

        Args:
            stream: Stream of which missing pictures are counted.
        """
        self._stream, self._drops = stream, stream.codec_context.name in DROPPING
        self.shifts = [Fraction(0)]
        self._parts: dict[int, int] = {}
        self._last: dict[int, Fraction] = {}
        self._end = Fraction(0)
        self._pending: set[Mark] = set()
        self._begun = -1

    def see(self, packet: Any) -> None:
        """Takes note of a packet, in the order of the file."""
        index, ticks = packet.stream.index, packet.dts if packet.pts is None else packet.pts
        if ticks is None or not packet.size:
            return
        base = Fraction(packet.time_base)
        decoding = base * (ticks if packet.dts is None else packet.dts)
        if decoding + JOINT < self._last.get(index, decoding):
            self._parts[index] = self._parts.get(index, 0) + 1
            if self._parts[index] == len(self.shifts):
                self.shifts.append(self._end - ticks * base)
        self._last[index] = decoding
        part = self._parts.get(index, 0)
        self._end = max(self._end, (ticks + (packet.duration or 0)) * base + self.shifts[part])
        if self._drops and index == self._stream.index and not packet.is_discard:
            self._pending.add((part, ticks))

    def lost_before(self, part: int, ticks: int | None) -> Fraction | None:
        """Returns the second of a picture that should have come before that at `ticks`; `None` where none is missing.

        A part may begin with pictures that need those before it, which nobody has.

        Args:
            part: Part of the file that it is in.
            ticks: Its time, which is taken off the list.
        """
        if ticks is None or not self._pending:
            return None
        self._pending.discard((part, ticks))
        missing = sorted(mark for mark in self._pending if mark < (part, ticks))
        self._pending.difference_update(missing)
        begun, self._begun = self._begun == part, part
        return self._second(missing[0]) if missing and begun else None

    def lost_at_end(self) -> Fraction | None:
        """Returns the second of a picture that should have come behind the last one; `None` where none is missing."""
        return self._second(min(self._pending)) if self._pending and self._begun >= 0 else None

    def _second(self, mark: Mark) -> Fraction:
        part, ticks = mark
        return ticks * Fraction(self._stream.time_base) + self.shifts[part]
