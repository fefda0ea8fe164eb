"""An injected model as a whole: compiled, checkpointed, recorded, copied, spread over processes, taken apart."""

import copy
import pickle
from functools import partial

import pytest
import torch
from third_party import PICTURE, SOUND, Recursive, Whisper, convnext, inject
from torch import nn
from torch._dynamo.backends.registry import lookup_backend

from crossmodal.injection import fingerprint, freeze


@pytest.mark.parametrize("reentrant", [False, True])
def test_law_10_checkpointed_as_a_whole_equals_plain(reentrant):
    guided = inject(convnext().eval(), PICTURE, {"features.1.*": Whisper})
    x, results = PICTURE.clone().requires_grad_(), []
    for checkpointed in (False, True):
        call = partial(guided, guide=SOUND)
        out = torch.utils.checkpoint.checkpoint(call, x, use_reentrant=reentrant) if checkpointed else call(x)
        guided.zero_grad()
        out.sin().sum().backward()
        results.append((out.detach(), [parameter.grad.clone() for parameter in guided.adapters.parameters()]))
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_model_that_checkpoints_itself_is_refused_in_the_backward(reentrant):
    class Checkpointing(Recursive):
        def forward(self, x):
            return torch.utils.checkpoint.checkpoint(self.block, x, 1, None, use_reentrant=reentrant)

    x = torch.randn(2, 5, 4, requires_grad=True)
    guided = inject(Checkpointing(), x, {"block": Whisper})
    guided(x).sum().backward()  # unguided it is the original
    out = guided(x, guide=SOUND)
    with pytest.raises(
        RuntimeError, match=r"'block' runs again during the backward, .* checkpoint the Injected as a whole"
    ):
        out.sum().backward()


def test_law_10_compiled_equals_plain():
    graphs = []

    def count_graphs(graph, inputs):
        graphs.append(graph)
        return lookup_backend("aot_eager")(graph, inputs)

    torch._dynamo.reset()
    model = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True)))
    guided = inject(freeze(model), PICTURE, {"1": Whisper})
    compiled = torch.compile(guided, backend=count_graphs, fullgraph=True)
    guides = (SOUND, None, SOUND + 1, None)
    expected = [guided(PICTURE, guide=guide) for guide in guides]
    torch.testing.assert_close([compiled(PICTURE, guide=guide) for guide in guides], expected)
    with guided.recording() as maps:
        torch.testing.assert_close(compiled(PICTURE, guide=SOUND), expected[0])
    assert len(graphs) == 3  # guided, unguided, recorded
    with guided.recording() as expected_maps:
        guided(PICTURE, guide=SOUND)
    torch.testing.assert_close(maps, expected_maps)


def test_law_10_compiled_gradients_equal_plain_ones():
    guided = inject(freeze(convnext()), PICTURE, {"features.3.*": Whisper})
    compiled = torch.compile(guided, backend="aot_eager", fullgraph=True)
    parameters = list(guided.adapters.parameters())
    one, other = (torch.autograd.grad(f(PICTURE, guide=SOUND).sin().sum(), parameters) for f in (compiled, guided))
    torch.testing.assert_close(one, other)


def test_maps_are_recorded_inside_the_block_only():
    guided = inject(convnext(), PICTURE, {"features.1.*": Whisper})
    guided(PICTURE, guide=SOUND)
    with guided.recording() as outer:
        guided(PICTURE, guide=SOUND)
        with guided.recording() as inner:
            guided(PICTURE, guide=SOUND + 1)
    guided(PICTURE, guide=SOUND + 2)
    assert outer.keys() == inner.keys() == {"features.1.0", "features.1.1"}
    view = guided.adapters["features_1_1"].guide(SOUND).mean(1, keepdim=True).sigmoid()
    torch.testing.assert_close(outer["features.1.1"]["channel"], view)
    assert not torch.equal(inner["features.1.1"]["channel"], view)
    assert outer["features.1.1"]["channel"].requires_grad
    copy.deepcopy(guided)


def hooks(model):
    return [
        (name, kind, list(hooks))
        for name, module in model.named_modules()
        for kind, hooks in vars(module).items()
        if "hooks" in kind and hooks
    ]


def test_detach_leaves_no_trace(case):
    model, picture, pattern, _ = case
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    weights, expected = fingerprint(model), model(picture)
    guided = inject(model, picture, {pattern: Whisper})
    assert hooks(model)
    guided(picture, guide=SOUND)
    guided(picture)
    assert guided.detach() is model
    assert hooks(model) == []
    assert {name: set(vars(module)) for name, module in model.named_modules()} == before
    assert fingerprint(model) == weights
    assert torch.equal(model(picture), expected)
    assert torch.equal(guided(picture), expected)
    assert hooks(model) == []
    with pytest.raises(RuntimeError, match=r"detach\(\) has taken the hooks off; build a new Injected"):
        guided(picture, guide=SOUND)


def test_hooks_of_others_stay():
    model = convnext()
    handle = model.features[1][0].register_forward_hook(lambda *_: None)
    guided = inject(model, PICTURE, {"features.1.*": Whisper})
    guided(PICTURE)
    guided.detach()
    assert [name for name, *_ in hooks(model)] == ["features.1.0"]
    handle.remove()


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
def test_no_guide_takes_the_fast_path_of_torchs_own_transformer():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    x = torch.randn(2, 5, 8)
    guided = inject(model, x, {"layers.*": Whisper})
    with torch.no_grad(), torch.profiler.profile() as profile:
        fast = guided(x)
    assert any("_transformer_encoder_layer_fwd" in event.key for event in profile.key_averages())
    with torch.no_grad():
        assert torch.equal(fast, copy.deepcopy(guided.detach())(x))


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))], ids=["deepcopy", "pickle"]
)
def test_law_13_copies_work_and_are_independent(duplicate):
    guided = inject(freeze(convnext()), PICTURE, {"features.1.*": Whisper})
    expected = guided(PICTURE, guide=SOUND)
    twin = duplicate(guided)
    assert torch.equal(twin(PICTURE, guide=SOUND), expected)
    with torch.no_grad():
        twin.adapters["features_1_0"].gate.fill_(5)
    assert torch.equal(guided(PICTURE, guide=SOUND), expected)
    assert not torch.equal(twin(PICTURE, guide=SOUND), expected)
    twin.detach()
    assert hooks(twin.model) == []
    assert torch.equal(guided(PICTURE, guide=SOUND), expected)


def test_law_13_keys_read_well_and_adapters_are_saved_alone():
    guided, other = (inject(freeze(convnext()), PICTURE, {"features.1.*": Whisper}) for _ in range(2))
    assert "adapters.features_1_0.stream.weight" in guided.state_dict()
    assert "model.features.1.0.block.0.weight" in guided.state_dict()
    assert all(key.startswith(("features_1_0.", "features_1_1.")) for key in guided.adapters.state_dict())
    other.load_state_dict(guided.state_dict())
    assert torch.equal(other(PICTURE, guide=SOUND), guided(PICTURE, guide=SOUND))
    assert "guide='audio' (width 6), guided=['features.1.0', 'features.1.1']" in repr(guided)


def test_law_13_built_on_meta_and_loaded_equals_built_on_the_cpu():
    guided = inject(convnext().eval(), PICTURE, {"features.1.*": Whisper})
    with torch.device("meta"):
        model, picture = convnext().eval(), torch.zeros_like(PICTURE, device="meta")
        empty = inject(model, picture, {"features.1.*": Whisper})
    empty.to_empty(device="cpu").load_state_dict(guided.state_dict())
    assert torch.equal(empty(PICTURE, guide=SOUND), guided(PICTURE, guide=SOUND))


def test_under_autocast_the_model_keeps_its_dtypes():
    model = convnext().eval()
    guided = inject(model, PICTURE, {"features.1.*": Whisper})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain, out = model(PICTURE), guided(PICTURE, guide=SOUND)
    assert out.dtype == plain.dtype
    torch.testing.assert_close(out.float(), guided(PICTURE, guide=SOUND), rtol=5e-2, atol=5e-2)


def test_it_trains_under_data_parallel_processes(tmp_path):
    distributed = torch.distributed
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        guided = inject(freeze(convnext()), PICTURE, {"features.1.*": Whisper})
        parallel = nn.parallel.DistributedDataParallel(guided)
        for _ in range(2):
            parallel(PICTURE, guide=SOUND).sin().sum().backward()
        assert all(parameter.grad.abs().sum() > 0 for parameter in guided.adapters.parameters())
        torch.testing.assert_close(parallel(PICTURE), guided.model(PICTURE))
    finally:
        distributed.destroy_process_group()
