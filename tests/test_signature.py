"""Calls that look alike are checked once: what makes two calls alike, and that nothing else slips through."""

import sys
from collections import Counter
from collections.abc import Collection
from typing import Literal

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor, nn

from crossmodal import signature
from crossmodal.shapes import shape_checks, shaped

Stream = Float[Tensor, "frame token channel"]
STREAM = torch.zeros(2, 5, 4)


class Block(nn.Linear):
    """Returns what `answer` is, whatever it is asked."""

    @shaped
    def forward(self, stream: Stream, cue: Float[Tensor, "frame cue"]) -> Stream:
        return self.answer

    answer = STREAM


def python_calls(run):
    """How often Python functions of each top-level package, and of each of our floor-0 files, are entered."""
    found = Counter()

    def entered(frame, event, argument):
        if event == "call":
            name = frame.f_globals.get("__name__", "")
            found[name if name.startswith("crossmodal") else name.partition(".")[0]] += 1

    sys.setprofile(entered)
    try:
        run()
    finally:
        sys.setprofile(None)
    return found


def test_the_second_call_of_a_kind_asks_neither_jaxtyping_nor_beartype():
    block, cue = Block(4, 4), torch.zeros(2, 3)
    assert python_calls(lambda: block(STREAM, cue))["jaxtyping"] > 0
    again = python_calls(lambda: block(torch.ones(2, 5, 4), torch.ones(2, 3)))
    assert not again.keys() & {"jaxtyping", "beartype"}
    assert again["crossmodal.signature"] > 0


def test_switched_off_one_call_is_left():
    block, cue = Block(4, 4), torch.zeros(2, 3)
    with shape_checks(False):
        off = python_calls(lambda: block(STREAM, cue))
    assert (off["crossmodal.shapes"], off["crossmodal.signature"], off["jaxtyping"], off["beartype"]) == (1, 0, 0, 0)


def test_every_other_look_is_checked():
    block = Block(4, 4)
    block(STREAM, torch.zeros(2, 3))
    with pytest.raises(TypeCheckError, match=r"Block.forward(.|\n)*parameter 'cue'(.|\n)*f32\[1,3\](.|\n)*frame=2"):
        block(STREAM, torch.zeros(1, 3))
    with pytest.raises(TypeCheckError, match=r"stream is torch.float32 but cue is torch.float64"):
        block(STREAM, torch.zeros(2, 3).double())
    with pytest.raises(TypeCheckError, match=r"stream is torch.float32 but the block's weights are torch.float64"):
        block.double()(STREAM, torch.zeros(2, 3))


def test_what_is_returned_is_looked_at_after_every_call():
    block = Block(4, 4)
    block(STREAM, torch.zeros(2, 3))
    block.answer = torch.zeros(2, 5, 4, 1)
    with pytest.raises(TypeCheckError, match=r"Block.forward(.|\n)*f32\[2,5,4,1\]"):
        block(STREAM, torch.zeros(2, 3))


def test_the_function_runs_once_where_its_result_looks_new():
    calls = []

    @shaped
    def grow(stream: Stream) -> Float[Tensor, "frame any_number"]:
        calls.append(stream)
        return torch.zeros(2, len(calls))

    assert [grow(STREAM).shape[1] for _ in range(3)] == [1, 2, 3]
    assert len(calls) == 3


def test_what_passed_under_autocast_has_not_passed_without():
    block, cue = Block(4, 4), torch.zeros(2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        block(STREAM.bfloat16(), cue)
    with pytest.raises(TypeCheckError, match=r"stream is torch.bfloat16 but cue is torch.float32"):
        block(STREAM.bfloat16(), cue)


def test_plain_values_and_what_containers_hold_are_part_of_a_look():
    @shaped
    def crop(streams: dict[str, Stream], rows: list[int], side: Literal["left", "right"]) -> None: ...

    crop({"audio": STREAM}, [1], "left")
    with pytest.raises(TypeCheckError, match="side"):
        crop({"audio": STREAM}, [1], "middle")
    with pytest.raises(TypeCheckError, match="rows"):
        crop({"audio": STREAM}, ["1"], "left")
    with pytest.raises(TypeCheckError, match=r"parameter .streams."):
        crop({"audio": torch.zeros(2, 5)}, [1], "left")


def test_what_cannot_be_told_is_checked_every_time():
    @shaped
    def tap(stream: Stream, names: Collection[str]) -> None: ...

    tap(STREAM, {"visual"})
    with pytest.raises(TypeCheckError, match="names"):
        tap(STREAM, {1})


def test_a_dimension_computed_from_values_is_checked_every_time():
    class Fixed(nn.Linear):
        @shaped
        def forward(self, stream: Float[Tensor, "frame token {self.in_features}"]) -> Stream:
            return stream

    assert Fixed(4, 4)(STREAM) is STREAM
    with pytest.raises(TypeCheckError, match="stream"):
        Fixed(3, 3)(STREAM)


def test_looks_are_not_kept_without_end(monkeypatch):
    monkeypatch.setattr(signature, "KEPT", 3)
    passed = signature.Passed()
    for size in range(10):
        passed.add(size, STREAM)
    assert list(passed.results) == [9]
    assert passed.holds(9, torch.ones(2, 5, 4))
    assert not passed.holds(9, STREAM.double())
