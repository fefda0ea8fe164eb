"""The whole model, encoders and couplers and heads, compiled as one graph, for any number of clips."""

import copy

import pytest
import torch
from plain import plain
from small_events import clips, small_events
from systems import full_size
from torch._dynamo import lookup_backend, mark_dynamic

from crossmodal.data import Clip
from crossmodal.data.world import World


@pytest.fixture(autouse=True)
def afresh():
    """Graphs of other tests would count against torch's limit of recompilations."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


class Counting:
    """A backend that counts the graphs that it is given."""

    def __init__(self, backend="aot_eager"):
        self.backend, self.graphs = lookup_backend(backend), 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return self.backend(graph, inputs)


def step(model, compiled, frames, wave):
    """Outputs, gradients and buffers of one training step."""
    model.zero_grad()
    events = compiled(Clip(frames, wave))
    sum(scores.square().sum() for scores in events).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return list(events), gradients, {name: buffer.clone() for name, buffer in model.named_buffers()}


def same_step(model, twin, compiled, frames, wave, **near):
    # eager first: einops looks up its backend once, and the compiler would take that for news
    expected, found = step(twin, twin, frames.clone(), wave.clone()), step(model, compiled, frames, wave)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **near)


def any_number(*tensors):
    for tensor in tensors:
        mark_dynamic(tensor, 0)
    return tensors


@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
def test_one_graph_serves_every_number_of_clips_and_equals_eager(backend):
    """With the clips marked as dynamic from the start. One direction alone: both take twice as long.

    What a compiler makes of the gradients is checked part by part, and here, once more, where time is no matter.
    """
    model, backend = small_events(edges=(("audio", "visual"),)).double().train(), Counting(backend)
    twin = copy.deepcopy(model)
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    for count in (2, 3, 5):
        frames, wave = (tensor.double() for tensor in clips(count))
        same_step(model, twin, compiled, *any_number(frames, wave), rtol=1e-7, atol=1e-9)
    assert backend.graphs == 1


@pytest.mark.slow
def test_without_a_word_the_second_number_compiles_for_all_others():
    """torch's own rule: the first number is taken for fixed, the second for dynamic; one clip is a case of its own."""
    model, backend = small_events().train(), Counting("eager")
    model.score(*clips(1))
    compiled, graphs = torch.compile(model, fullgraph=True, backend=backend), []
    for count in (2, 3, 4, 7, 2, 1, 5, 1):
        compiled(Clip(*clips(count)))
        graphs.append(backend.graphs)
    assert graphs == [1, 2, 2, 2, 2, 3, 3, 3]


def world(count):
    items = World("val", clips=count)
    batch = [items[index] for index in range(count)]
    return torch.stack([item.frames for item in batch]), torch.stack([item.wave for item in batch])


@pytest.mark.filterwarnings("ignore:Torchinductor does not support code generation for complex")  # the log-mel's FFT
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_the_tiny_model(backend):
    """One step with inductor takes minutes; `aot_eager` also with another number of clips."""
    model, counting = plain().train(), Counting(backend)
    twin = copy.deepcopy(model)
    compiled = torch.compile(model, fullgraph=True, backend=counting)
    for count in (2, 3) if backend == "aot_eager" else (2,):
        same_step(model, twin, compiled, *any_number(*world(count)), rtol=2e-3, atol=2e-4)
    assert counting.graphs == 1


@pytest.mark.slow
def test_the_full_size_model():
    """One graph for a training step, on the meta device: what it computes is checked at smaller sizes."""
    with torch.device("meta"):
        model = full_size().train()
        frames, wave = torch.empty(2, 10, 3, 192, 192), torch.empty(2, 10, 32_000)
    model.score(frames, wave)
    backend = Counting("eager")
    events = torch.compile(model, fullgraph=True, backend=backend)(*any_number(frames, wave))
    sum(scores.sum() for scores in events).backward()
    assert backend.graphs == 1
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == trained
