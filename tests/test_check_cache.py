"""Calls with one signature are checked once, at the border of a module that has passed; nothing else slips through."""

import gc
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Collection
from typing import Literal

import pytest
import torch
from jaxtyping import Bool, Float, TypeCheckError
from torch import Tensor, nn

from crossmodal import check_cache
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
    assert again["crossmodal.check_cache"] > 0


def test_switched_off_one_call_is_left():
    block, cue = Block(4, 4), torch.zeros(2, 3)
    with shape_checks(False):
        off = python_calls(lambda: block(STREAM, cue))
    assert (off["crossmodal.shapes"], off["crossmodal.check_cache"], off["jaxtyping"], off["beartype"]) == (1, 0, 0, 0)


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


def test_signatures_are_not_kept_without_end(monkeypatch):
    monkeypatch.setattr(check_cache, "LIMIT", 3)
    cache, block = check_cache.CheckCache(), Block(4, 4)
    state = check_cache.module_state(block)
    for size in range(10):
        cache.add(size, STREAM)
        cache.settle(block, state, size)
    assert list(cache.results) == [9]
    assert cache.holds(9, torch.ones(2, 5, 4))
    assert not cache.holds(9, STREAM.double())
    assert cache.settled[block][1] == {9}


class Inner(nn.Module):
    """Returns a map of the size that it has; counts its calls that are not checked."""

    def __init__(self, size=4):
        super().__init__()
        self.size, self.proj = size, nn.Linear(4, 4)

    @shaped
    def forward(self, stream: Stream) -> Float[Tensor, "frame 1 channel"]:
        return self.proj(stream)[:, :1, : self.size]


class Outer(nn.Module):
    """Hides what its inner block returns: only a check of the inner block can see it."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleDict({"guidance": Inner()})

    @shaped
    def forward(self, stream: Stream, present: Bool[Tensor, " frame"] | None = None) -> Stream:
        for block in self.blocks.values():
            block(stream)
        return stream


WRONG = r"Inner.forward(.|\n)*f32\[2,1,3\]"


@pytest.fixture
def outer():
    """A block that has passed, insides included."""
    outer = Outer()
    outer(STREAM)
    outer(STREAM)
    return outer


def test_inside_a_call_that_passed_nothing_is_checked(outer):
    once = python_calls(lambda: outer(STREAM))
    assert once["jaxtyping"] == once["beartype"] == 0
    for number in range(5):
        outer.blocks[f"other{number}"] = Inner()
    outer(STREAM)
    outer(STREAM)
    more = python_calls(lambda: outer(STREAM))
    assert more["crossmodal.check_cache"] - once["crossmodal.check_cache"] <= 20  # the walk over the modules
    assert more["crossmodal.shapes"] - once["crossmodal.shapes"] == 5  # one wrapper a block


def test_the_insides_of_a_call_with_a_new_signature_are_checked(outer):
    outer.blocks["guidance"].size = 3
    outer(STREAM)  # a number of a block was changed: its border alone is looked at
    with pytest.raises(TypeCheckError, match=WRONG):
        outer.blocks["guidance"](STREAM)
    with pytest.raises(TypeCheckError, match=r"Inner.forward(.|\n)*f32\[3,1,3\]"):
        outer(torch.zeros(3, 5, 4))


def replaced(outer):
    outer.blocks["guidance"] = Inner(3)


def hooked(outer):
    outer.blocks["guidance"].size = 3
    outer.blocks["guidance"].register_forward_hook(lambda *_: None)


def hooked_deeper(outer):
    outer.blocks["guidance"].proj.register_forward_hook(lambda module, args, output: output[..., :3])


def switched(outer):
    outer.blocks["guidance"].size = 3
    outer.train(not outer.training)


def added(outer):
    outer.blocks["another"] = Inner(3)


@pytest.mark.parametrize("change", [replaced, hooked, hooked_deeper, switched, added])
def test_a_changed_module_is_checked_inside_at_its_next_call(outer, change):
    change(outer)
    for _ in range(2):
        with pytest.raises(TypeCheckError, match=WRONG):
            outer(STREAM)


def test_after_a_result_of_another_dtype_the_insides_are_checked():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.scale = nn.Linear(4, 4), Scale()

        @shaped
        def forward(self, stream: Stream) -> Stream:
            return self.scale(stream)

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        @shaped
        def forward(self, stream: Stream) -> Stream:
            return stream * self.weight

    block = Scaled()
    block(STREAM)
    block(STREAM)
    block.scale.weight = nn.Parameter(torch.ones(4).double())
    with pytest.raises(TypeCheckError, match=r"stream is torch.float32 but the block's weights are torch.float64"):
        [block(STREAM) for _ in range(2)]


def test_another_module_of_the_same_kind_is_checked_inside(outer):
    other = Outer()
    other.blocks["guidance"].size = 3
    with pytest.raises(TypeCheckError, match=WRONG):
        other(STREAM)


def test_a_module_at_the_address_of_a_freed_one_is_another_one(outer):
    for _ in range(20):
        outer.blocks["guidance"] = Inner()
        outer(STREAM)
    del outer.blocks["guidance"]
    gc.collect()
    outer.blocks["guidance"] = Inner(3)
    with pytest.raises(TypeCheckError, match=WRONG):
        outer(STREAM)


def test_nothing_is_kept_alive():
    outer = Outer()
    outer(STREAM)
    inner, dead = weakref.ref(outer.blocks["guidance"]), weakref.ref(outer)
    replaced(outer)
    gc.collect()
    assert inner() is None
    del outer
    gc.collect()
    assert dead() is None


def test_behind_a_mask_the_insides_are_checked_every_time(outer):
    """Its values may decide which shapes run inside."""
    present = torch.tensor([True, False])
    outer(STREAM, present)
    outer.blocks["guidance"].size = 3
    outer(STREAM)
    for _ in range(2):
        with pytest.raises(TypeCheckError, match=WRONG):
            outer(STREAM, present)


def test_threads_do_not_skip_for_each_other(outer):
    """A call that skips its insides, and one thread's switch, leave the checks of other threads on."""
    found = []

    def wrong():
        try:
            Inner(3)(STREAM)
        except TypeCheckError:
            found.append("checked")

    def elsewhere(*_):
        thread = threading.Thread(target=wrong)
        thread.start()
        thread.join()

    outer.blocks["guidance"].register_forward_hook(elsewhere)
    outer(STREAM)
    outer(STREAM)
    with shape_checks(False):
        elsewhere()
        wrong()
    assert found == ["checked"] * 3


def test_an_error_inside_leaves_the_checks_on(outer):
    def fail(*_):
        raise KeyError("user")

    hook = outer.blocks["guidance"].register_forward_hook(lambda *_: None)
    outer(STREAM)
    hook.remove()
    outer(STREAM)
    outer.blocks["guidance"].proj.forward = fail  # seen by nobody
    with pytest.raises(KeyError, match="user"):
        outer(STREAM)
    with pytest.raises(TypeCheckError):
        outer(torch.zeros(2, 5))
