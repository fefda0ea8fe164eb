import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float, Int, TypeCheckError
from torch import Tensor, nn

from crossmodal import shapes
from crossmodal.shapes import check_width, shape_checks, shaped

Stream = Float[Tensor, "frame token channel"]


class Pair(NamedTuple):
    residual: Stream
    maps: dict[str, Float[Tensor, "frame #token #channel"]]


class Block(nn.Module):
    """Returns what it was built to return, right or wrong."""

    def __init__(self, residual=(2, 5, 4), maps=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))
        self.pair = Pair(torch.zeros(residual), {name: torch.zeros(shape) for name, shape in (maps or {}).items()})

    @shaped
    def forward(self, stream: Stream, cue: Float[Tensor, "frame cue_channel"]) -> Pair:
        return self.pair


STREAM, CUE = torch.zeros(2, 5, 4), torch.zeros(2, 3)


def test_what_fits_passes_untouched():
    block = Block(maps={"channel": (2, 1, 4), "spatial": (2, 5, 1)})
    assert block(STREAM, CUE) is block.pair


def test_an_argument_that_does_not_fit_is_named_with_the_block_and_both_values():
    with pytest.raises(TypeCheckError, match=r"Block.forward(.|\n)*parameter 'cue'(.|\n)*f32\[1,3\](.|\n)*frame=2"):
        Block()(STREAM, torch.zeros(1, 3))


def test_the_fields_of_a_returned_named_tuple_are_checked_in_the_scope_of_the_arguments():
    with pytest.raises(
        TypeCheckError, match=r"Block.forward returned a wrong residual: it is torch.float32 \(2, 5, 7\)"
    ):
        Block(residual=(2, 5, 7))(STREAM, CUE)


def test_every_map_is_checked_not_only_the_first():
    with pytest.raises(TypeCheckError, match=r"returned a wrong maps\['spatial'\]: it is torch.float32 \(2, 6, 1\)"):
        Block(maps={"channel": (2, 1, 4), "spatial": (2, 6, 1)})(STREAM, CUE)


def test_tensors_in_dictionaries_and_sequences_are_checked_going_in_and_coming_out():
    @shaped
    def swap(streams: Mapping[str, Stream], rows: Sequence[Int[Tensor, " frame"]]) -> dict[str, list[Stream]]:
        return {name: [stream] for name, stream in streams.items()} if rows else {"audio": [torch.zeros(2, 5, 9)]}

    rows = [torch.zeros(2, dtype=torch.long)] * 30
    assert swap({"audio": STREAM, "visual": STREAM}, rows).keys() == {"audio", "visual"}
    with pytest.raises(
        TypeCheckError, match=r"swap was given a wrong streams\['visual'\]: it is torch.float32 \(3, 5, 4\)"
    ):
        swap({"audio": STREAM, "visual": torch.zeros(3, 5, 4)}, rows)
    with pytest.raises(TypeCheckError, match=r"rows(\[30\]: it is torch.int64 \(4,\)|'(.|\n)*i64\[4\])"):
        swap({"audio": STREAM}, rows=[*rows, torch.zeros(4, dtype=torch.long)])  # beartype looks at one item of 31
    with pytest.raises(TypeCheckError, match=r"swap returned a wrong result\['audio'\]\[0\]: .* \(2, 5, 9\)"):
        swap({"audio": STREAM}, [])


def test_a_tuple_is_checked_item_by_item_and_an_absent_one_not_at_all():
    @shaped
    def crop(pair: tuple[Stream, Float[Tensor, "frame cue"]] | None) -> None: ...

    crop(None)
    crop((STREAM, CUE))
    with pytest.raises(TypeCheckError, match=r"parameter 'pair'(.|\n)*f32\[1,3\](.|\n)*frame=2"):
        crop((STREAM, torch.zeros(1, 3)))


@pytest.mark.parametrize(
    ("stream", "cue", "message"),
    [
        (STREAM, CUE.double(), "stream is torch.float32 but cue is torch.float64: bring them to one dtype"),
        (STREAM.half(), CUE.half(), "stream is torch.float16 but the block's weights are torch.float32"),
        (STREAM, CUE.to("meta"), "stream is cpu but cue is meta: bring them to one device"),
        (STREAM.to("meta"), CUE.to("meta"), "stream is meta but the block's weights are cpu"),
    ],
)
def test_dtypes_and_devices_must_meet_the_weights_too(stream, cue, message):
    with pytest.raises(TypeCheckError, match=message):
        Block()(stream, cue)


def test_under_autocast_dtypes_may_differ_and_devices_may_not():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        Block()(STREAM.bfloat16(), CUE)
        with pytest.raises(TypeCheckError, match="stream is cpu but cue is meta"):
            Block()(STREAM, CUE.to("meta"))


def test_integers_have_a_device_but_no_dtype_to_share():
    @shaped
    def pick(stream: Stream, labels: Int[Tensor, " frame"]) -> None: ...

    pick(STREAM, torch.zeros(2, dtype=torch.long))
    with pytest.raises(TypeCheckError, match="stream is cpu but labels is meta"):
        pick(STREAM, torch.zeros(2, dtype=torch.long, device="meta"))


def test_names_stay_right_beside_star_arguments():
    @shaped
    def gather(first: Stream, *others: Tensor, guide: Stream) -> None: ...

    with pytest.raises(TypeCheckError, match=r"first is torch.float32 but guide is torch.float64"):
        gather(STREAM, STREAM, guide=STREAM.double())


def test_a_whole_number_will_do_for_a_float():
    @shaped
    def scale(stream: Stream, by: float) -> Stream:
        return stream * by

    assert scale(STREAM, 2).shape == STREAM.shape


def test_the_switch_covers_a_block_of_code_or_all_that_follows():
    wrong = torch.zeros(1, 3)
    with shape_checks(False):
        Block()(STREAM, wrong)
        with shape_checks(True), pytest.raises(TypeCheckError):
            Block()(STREAM, wrong)
        Block()(STREAM, wrong)
    with pytest.raises(TypeCheckError):
        Block()(STREAM, wrong)
    shape_checks(False)
    try:
        Block()(STREAM, wrong)
    finally:
        shape_checks(True)


@given(st.permutations([0, 1, 2]), st.lists(st.booleans(), min_size=3, max_size=3), st.booleans())
def test_blocks_that_end_in_any_order_leave_the_switch_as_it_was(order, enabled, outside):
    shape_checks(outside)
    try:
        blocks = []
        for value in enabled:
            blocks.append(shape_checks(value))
            blocks[-1].__enter__()
        for ended in order:
            blocks[ended].__exit__(None, None, None)
            left = [value for at, value in enumerate(enabled) if at not in order[: order.index(ended) + 1]]
            assert is_checked() == (left[-1] if left else outside)
    finally:
        shape_checks(True)
    assert len(shapes._switches.get()) <= 3


def is_checked():
    try:
        Block()(STREAM, torch.zeros(1, 3))
    except TypeCheckError:
        return True
    return False


def test_a_switch_in_one_thread_is_its_own():
    with ThreadPoolExecutor(1) as pool:
        with shape_checks(False):
            assert pool.submit(is_checked).result()
        pool.submit(shape_checks, False).result()
        assert is_checked()
        assert not pool.submit(is_checked).result()


def test_the_environment_switches_a_whole_process():
    code = "from crossmodal import shapes; print(shapes._checking.get())"
    environment = {"CROSSMODAL_SHAPE_CHECKS": "0", "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_law_10_the_raw_function_runs_under_compile():
    block = Block(maps={"channel": (2, 1, 4)})
    compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
    assert compiled(STREAM, torch.zeros(1, 3)).maps["channel"].shape == (2, 1, 4)  # a wrong cue: nothing looks


def test_check_width_names_block_argument_both_numbers_and_the_fix():
    with pytest.raises(ValueError, match=r"Block: stream has width 4 .*built for width 8: build it for 4, or pass"):
        check_width(Block(), "stream", STREAM, 8)
    check_width(Block(), "stream", STREAM, 4)
