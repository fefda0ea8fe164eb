"""Guidance into unmodified models: added exactly where it was promised, and gone without a trace."""

import copy
import pickle
from functools import partial

import pytest
import torch
from third_party import PICTURE, Whisper, convnext, silent, swin, timm_convnext, timm_swin, timm_vit, vit
from torch import nn
from torch._dynamo.backends.registry import lookup_backend

from crossmodal.adapters import Adapted, Bottleneck, guided_adapter
from crossmodal.injection import Injected, fingerprint, freeze, sites
from crossmodal.site import Site

GUIDE = Site("audio", 6, {"token": (0, 1, 2)})
SOUND = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1))

# model, picture, a pattern and one of the modules that it matches, the stream at that module by hand
CASES = {
    "vit": (vit, PICTURE[..., :32], "encoder.layers.encoder_layer_?.mlp", "encoder.layers.encoder_layer_1.mlp"),
    "vit attention": (vit, PICTURE[..., :32], "**.self_attention", "encoder.layers.encoder_layer_1.self_attention"),
    "swin": (swin, PICTURE, "features.3.*.mlp", "features.3.1.mlp"),
    "convnext": (convnext, PICTURE, "features.1.*", "features.1.1"),
    "timm swin": (timm_swin, PICTURE, "layers.*.blocks.*", "layers.1.blocks.0"),
    "timm convnext": (timm_convnext, PICTURE, "stages.1.blocks.*", "stages.1.blocks.0"),
    "timm vit": (timm_vit, PICTURE, "blocks.*.attn", "blocks.1.attn"),
}


@pytest.fixture(params=CASES)
def case(request):
    build, picture, pattern, name = CASES[request.param]
    torch.manual_seed(2)
    return build().eval(), picture, pattern, name


def inject(model, picture, adapters, **options):
    options = {"guide": GUIDE, "sites": sites(model, picture)} | options
    return Injected(model, adapters, **options)


class Wrapped(nn.Module):
    """The oracle: a module rewritten by hand to add what the adapter says of its input."""

    def __init__(self, inner, adapter, guide):
        super().__init__()
        self.inner, self.adapter, self.guide = inner, adapter, guide

    def forward(self, x, *args, **kwargs):
        out = self.inner(x, *args, **kwargs)
        if x.ndim == 4 and x.shape[1] == self.adapter.stream.in_features:
            stream = x.flatten(2).transpose(1, 2)
            residual = self.adapter(stream, self.guide).residual.transpose(1, 2).unflatten(2, x.shape[2:])
        else:
            stream = x.reshape(len(x), -1, x.shape[-1])
            residual = self.adapter(stream, self.guide).residual.view(x.shape)
        return (out[0] + residual, *out[1:]) if isinstance(out, tuple) else out + residual


def test_the_residual_is_added_as_if_the_module_had_been_rewritten(case):
    model, picture, _, name = case
    guided = inject(model, picture, {name: Whisper})
    rewritten = copy.deepcopy(model)
    parent, _, child = name.rpartition(".")
    adapter = copy.deepcopy(guided.adapters[name.replace(".", "_")])
    setattr(rewritten.get_submodule(parent), child, Wrapped(rewritten.get_submodule(name), adapter, SOUND))
    out, expected = guided(picture, guide=SOUND), rewritten(picture)
    torch.testing.assert_close(out, expected)
    assert (out - model(picture)).abs().max() > 1e-4
    expected.sin().sum().backward()
    out.sin().sum().backward()
    for ours, theirs in zip(guided.adapters.parameters(), adapter.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_no_guide_equals_the_original_bit_for_bit(case):
    model, picture, pattern, _ = case
    for mode in (False, True):
        twin = copy.deepcopy(model).train(mode)
        guided = inject(copy.deepcopy(model), picture, {pattern: Whisper}).train(mode)
        for gradients in (False, True):
            with torch.set_grad_enabled(gradients):
                torch.manual_seed(3)
                expected = twin(picture)
                torch.manual_seed(3)
                assert torch.equal(guided(picture), expected)


def test_law_1_a_gate_at_zero_equals_the_original_bit_for_bit(case):
    model, picture, pattern, _ = case
    assert torch.equal(inject(model, picture, {pattern: silent})(picture, guide=SOUND), model(picture))


def test_the_guided_adapter_of_this_library_fits():
    factory = partial(guided_adapter, bottleneck=partial(Bottleneck, reduction=2))
    guided = inject(freeze(swin()), PICTURE, {"features.*.*.mlp": factory})
    with guided.recording() as maps:
        assert torch.equal(guided(PICTURE, guide=SOUND), guided(PICTURE))
    assert maps.keys() == {f"features.{stage}.{block}.mlp" for stage in (1, 3) for block in (0, 1)}
    assert maps["features.3.0.mlp"]["spatial"].shape == (2, 32, 1)


def test_law_7_only_adapters_learn_when_the_model_is_frozen(case):
    model, picture, pattern, _ = case
    guided = inject(freeze(model), picture, {pattern: Whisper}).train()
    before = fingerprint(guided.model)
    optimizer = torch.optim.SGD(guided.parameters(), lr=0.1)
    guided(picture, guide=SOUND).square().sum().backward()
    assert all(parameter.grad is None for parameter in guided.model.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in guided.adapters.parameters())
    optimizer.step()
    assert fingerprint(guided.model) == before


def test_reads_names_the_module_whose_input_is_read():
    model, block = timm_swin().eval(), "layers.1.blocks.1"
    flowed = {}
    handles = [
        model.get_submodule(f"{block}.mlp").register_forward_pre_hook(lambda _, args: flowed.update(read=args[0])),
        model.get_submodule(block).register_forward_hook(lambda _, args, out: flowed.update(written=out)),
    ]
    model(PICTURE)
    for handle in handles:
        handle.remove()
    guided = inject(
        model, PICTURE, {"layers.1.blocks.?": Whisper}, reads={"layers.1.blocks.?": "layers.1.blocks.?.mlp"}
    )
    with torch.no_grad():
        guided.adapters["layers_1_blocks_0"].gate.zero_()
    residual = guided.adapters["layers_1_blocks_1"](flowed["read"], SOUND).residual  # tokens in a row: before the norm
    expected = model.forward_head(model.norm(flowed["written"] + residual.view(flowed["written"].shape)))  # a grid
    torch.testing.assert_close(guided(PICTURE, guide=SOUND), expected)


def test_what_is_read_is_what_flowed_in_even_where_the_module_overwrites_it():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))
    x = torch.randn(2, 5, 4)
    guided = inject(model, x, {"1": Whisper})
    before = model[0](x)
    expected = before.relu() + guided.adapters["1"](before, SOUND).residual
    torch.testing.assert_close(guided(x, guide=SOUND), expected)


class Recursive(nn.Module):
    """Runs its one block inside itself, and calls whatever it is given in between."""

    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x, between=None):
        return self.block(x, 2, between)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, depth, between):
        if between is not None:
            between(x)
        x = self.linear(x)
        return self(x, depth - 1, None).tanh() if depth > 1 else x


def test_a_module_inside_itself_keeps_its_residuals_apart():
    x = torch.randn(2, 5, 4)
    model = Recursive()
    guided = inject(model, x, {"block": Whisper})
    adapter = guided.adapters["block"]
    one = model.block.linear(x)
    two = model.block.linear(one) + adapter(one, SOUND).residual
    torch.testing.assert_close(guided(x, guide=SOUND), two.tanh() + adapter(x, SOUND).residual)


def test_nested_forwards_keep_their_guides_apart():
    x = torch.randn(2, 5, 4)
    guided = inject(Recursive(), x, {"block": Whisper})
    expected, plain, other = guided(x, guide=SOUND), guided(x), guided(x, guide=SOUND + 1)
    inner = []

    def between(x):
        inner.extend([guided(x), guided(x, guide=SOUND + 1)])

    torch.testing.assert_close(guided(x, between, guide=SOUND), expected)
    torch.testing.assert_close(inner, [plain, other])
    torch.testing.assert_close(guided(x, between), plain)


def test_an_exception_leaves_nothing_behind():
    x = torch.randn(2, 5, 4)
    guided = inject(Recursive(), x, {"block": Whisper})
    expected = guided(x, guide=SOUND)

    def fail(x):
        raise KeyError("inside")

    for guide in (SOUND, None):
        with pytest.raises(KeyError, match="inside"), guided.recording():
            guided(x, fail, guide=guide)
    assert torch.equal(guided.model(x), guided(x))
    assert torch.equal(guided(x, guide=SOUND), expected)


def test_two_injected_share_a_model():
    x, model = torch.randn(2, 5, 4), Recursive()
    plain = model(x)
    one, two = inject(model, x, {"block": Whisper}), inject(model, x, {"block.linear": Whisper})
    first, second = one(x, guide=SOUND), two(x, guide=SOUND)
    assert not torch.equal(first, second)
    assert torch.equal(model(x), plain)
    two.detach()
    assert torch.equal(one(x, guide=SOUND), first)
    assert torch.equal(
        inject(copy.deepcopy(model), x, {"block": lambda *_: one.adapters["block"]})(x, guide=SOUND), first
    )


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


def test_law_5_frames_do_not_leak():
    guided = inject(swin().eval(), PICTURE, {"features.*.*.mlp": Whisper})
    moved = torch.stack([SOUND[0], SOUND[1] + 1])
    one, other = guided(PICTURE, guide=SOUND), guided(PICTURE, guide=moved)
    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


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


class Wrong(nn.Module):
    """An adapter that returns whatever it was built to."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, stream, guide):
        return self.answer(stream)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda stream: stream, TypeError, "the adapter of 'features.1.0' returned Tensor; an adapter returns Adapted"),
        (
            lambda stream: Adapted(stream[:, :1], {}),
            ValueError,
            r"residual of shape \(2, 1, 8\) for a stream of shape \(2, 128, 8\)",
        ),
    ],
)
def test_an_adapter_that_breaks_its_contract_is_named(answer, error, message):
    guided = inject(convnext(), PICTURE, {"features.1.0": lambda stream, guide: Wrong(answer)})
    with pytest.raises(error, match=message):
        guided(PICTURE, guide=SOUND)
