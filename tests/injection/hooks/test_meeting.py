"""Two unmodified models by turns: the same as a lockstep of their sections, or refused in words."""

import copy
import sys
import threading
from functools import partial

import pytest
import torch
from third_party import PICTURE, SPECTRUM, Whisper, spectrogram_transformer, timm_vit, vit
from torch import nn
from torch.utils.checkpoint import checkpoint

from crossmodal.injection import Lockstep, coupled, couplers_for, freeze, paired_as_paper, sections_of, sites

greenlet = pytest.importorskip("greenlet")


class Blocks(nn.Module):
    """Blocks in a row, each called as a test has it."""

    def __init__(self, width=4, blocks=2, run=lambda self, at, block, x: block(x)):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(blocks)])
        self.run = run

    def forward(self, x):
        for at, block in enumerate(self.blocks):
            x = x + self.run(self, at, block, x).tanh()
        return x


INPUTS = {"visual": torch.randn(2, 5, 4), "audio": torch.randn(2, 3, 6)}


def pair(run=lambda self, at, block, x: block(x), points=(("blocks.*", "blocks.*"),), **options):
    torch.manual_seed(0)
    models = Blocks(4, run=run), Blocks(6)
    found = tuple(sites(model, given) for model, given in zip(models, INPUTS.values(), strict=True))
    return coupled(*models, points, sites=found, adapter=Whisper, **options)


def hooks(model):
    return [
        name for name, module in model.named_modules() for key, kept in vars(module).items() if "hooks" in key and kept
    ]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("edges", [None, [("audio", "visual")]])
def test_it_equals_a_lockstep_of_the_same_weights_in_outputs_and_gradients(frozen, edges):
    torch.manual_seed(1)
    models = {"visual": timm_vit().eval(), "audio": spectrogram_transformer().eval()}
    models = {name: freeze(model) if frozen else model for name, model in models.items()}
    inputs = {"visual": PICTURE, "audio": SPECTRUM}
    met = coupled(
        *models.values(),
        [("blocks.*", "layers.*")],
        sites=tuple(sites(models[name], inputs[name]) for name in models),
        adapter=Whisper,
        edges=edges,
    )
    encoders = {
        "visual": sections_of(models["visual"], "blocks.*", PICTURE),
        "audio": sections_of(models["audio"], "layers.*", SPECTRUM),
    }
    of = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_paper(of)
    lockstep = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, of, Whisper, edges=edges))
    lockstep.couplers.load_state_dict(met.couplers.state_dict())
    streams, outputs = lockstep(inputs), met(inputs)
    ours = [outputs.outputs["visual"], outputs.outputs["audio"][0]]
    theirs = [encoders[name].head(streams.streams[name]) for name in models]
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    torch.testing.assert_close(outputs.maps, streams.maps)
    learned = [parameter for model in models.values() for parameter in model.parameters() if parameter.requires_grad]
    for one, other in ((ours, met), (theirs, lockstep)):
        sum(output.sin().sum() for output in one).backward()
        other.kept = [p.grad.clone() for p in (*other.couplers.parameters(), *learned) if p.grad is not None]
        for parameter in learned:
            parameter.grad = None
    torch.testing.assert_close(met.kept, lockstep.kept)


def test_it_reads_before_and_adds_after_as_loops_would():
    model = pair()
    v, a = INPUTS.values()
    for key, one, other in zip(model.couplers, *(m.blocks for m in model.models.values()), strict=True):
        coupler = model.couplers[key]
        to_v, to_a = coupler.audio_visual(v, a).residual, coupler.visual_audio(a, v).residual
        v, a = v + (one(v) + to_v).tanh(), a + (other(a) + to_a).tanh()
    torch.testing.assert_close(model(INPUTS).outputs, {"visual": v, "audio": a})


def test_sites_lie_on_their_grid():
    models, inputs = (timm_vit().eval(), spectrogram_transformer().eval()), (PICTURE, SPECTRUM)
    seen = []

    def factory(stream, guide):
        seen.append((stream.extent, stream.prefix))
        return Whisper(stream, guide)

    found = tuple(sites(*one) for one in zip(models, inputs, strict=True))
    coupled(*models, [("blocks.1", "layers.1")], sites=found, adapter=factory)
    assert seen == [({"row": 4, "column": 6}, 2), ({"row": 4, "column": 8}, 1)]


def test_checkpointed_as_a_whole_equals_plain():
    model = pair()
    results = []
    for call in (model, partial(checkpoint, model, use_reentrant=False)):
        model.zero_grad()
        sum(output.sum() for output in call(INPUTS).outputs.values()).backward()
        results.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(*results)


def test_copies_work():
    model = pair()
    twin = copy.deepcopy(model)
    torch.testing.assert_close(twin(INPUTS).outputs, model(INPUTS).outputs)


def test_each_model_keeps_its_own_autocast():
    seen = []

    def halved(self, at, block, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = block(x)
            seen.append(torch.is_autocast_enabled("cpu"))
        return y.float()

    model = pair(halved)
    model.models["audio"].blocks[0].register_forward_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    seen.clear()  # probing ran them too
    model(INPUTS)
    assert seen.count(False) == 1
    assert seen.count(True) == 2
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("enabled", [False, True])
def test_gradient_mode_and_context_variables_are_those_of_the_caller(enabled):
    with torch.set_grad_enabled(enabled):
        output = pair()(INPUTS).outputs["visual"]
        assert torch.is_grad_enabled() == enabled
    assert output.requires_grad == enabled
    with torch.inference_mode():
        assert pair()(INPUTS).outputs["visual"].is_inference()


def fail(self, at, block, x):
    if at:
        raise KeyError("inside")
    return block(x)


def without_gradients(self, at, block, x):
    with torch.no_grad():
        return block(x)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (fail, KeyError, "inside"),
        (without_gradients, RuntimeError, "visual switches gradients off around 'blocks.0'"),
        (lambda self, at, block, x: x if at else block(x), RuntimeError, "visual has returned and never came to 'blo"),
        (lambda self, at, block, x: block(block(x)), RuntimeError, "visual came to 'blocks.0' where 'blocks.1' was"),
        (lambda self, at, block, x: block(block(x)) if at else block(x), RuntimeError, "after its last point"),
        (lambda self, at, block, x: self.blocks[1 - at](x), RuntimeError, "came to 'blocks.1' where 'blocks.0' was"),
        *(
            (
                lambda self, at, block, x, reentrant=reentrant: checkpoint(block, x, use_reentrant=reentrant),
                RuntimeError,
                "'blocks.0' of visual is under activation checkpointing",
            )
            for reentrant in (False, True)
        ),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_nothing_behind(run, error, message):
    model = pair()
    expected = model(INPUTS)
    first = model.models["visual"]
    before, first.run = first.run, run
    inputs = {name: given.clone().requires_grad_() for name, given in INPUTS.items()}
    unwound = []

    class Kept:
        def __enter__(self): ...

        def __exit__(self, *_):
            unwound.append(True)

    def audio(self, at, block, x):
        with Kept():
            return block(x)

    model.models["audio"].run = audio
    with pytest.raises(error, match=message):
        model(inputs)
    assert not hooks(model.models)
    assert torch.is_grad_enabled()
    entered = len(unwound)
    first.run = before
    torch.testing.assert_close(model(INPUTS).outputs, expected.outputs)
    assert len(unwound) == entered + 2  # nothing of the failed forward was still waiting


def test_one_forward_at_a_time():
    model = pair()
    inner = []

    def again(self, at, block, x):
        try:
            model(INPUTS)
        except RuntimeError as error:
            inner.append(str(error))
        thread = threading.Thread(target=lambda: inner.append(raised(lambda: model(INPUTS))))
        thread.start()
        thread.join()
        return block(x)

    model.models["visual"].run = again
    model(INPUTS)
    assert len(inner) == 4
    assert all("one forward at a time" in said for said in inner)
    replica = model._replicate_for_data_parallel()
    assert "a replica of DataParallel" in raised(lambda: replica(INPUTS))


def raised(call):
    try:
        call()
    except RuntimeError as error:
        return str(error)
    return ""


def test_it_is_not_compiled():
    with pytest.raises(Exception, match="greenlets cannot be compiled"):
        torch.compile(pair(), fullgraph=True, backend="eager")(INPUTS)
    torch.compiler.reset()
    with pytest.raises(ValueError, match="visual is compiled"):
        coupled(torch.compile(Blocks()), Blocks(6), [("blocks.0", "blocks.0")], sites=({}, {}), adapter=Whisper)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([("blocks.*", "blocks.0")], r"'blocks\.\*' matches 2 modules of visual, 'blocks\.0' 1 of audio"),
        ([("block", "blocks.0")], "'block' matches no module of visual that ran in the probe; nearest are"),
        ([("blocks.0", "blocks.0"), ("blocks.0", "blocks.1")], r"the points of visual are \['blocks.0', 'blocks.0'\]"),
        ([], r"the points of visual are \[\]: at least one"),
    ],
)
def test_points_that_do_not_pair_are_named(points, message):
    with pytest.raises(ValueError, match=message):
        pair(points=points)


def test_inputs_and_sites_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"inputs are given for \['visual'\], the streams are \['audio', 'visual'\]"):
        pair()({"visual": INPUTS["visual"]})
    model = Blocks()
    with pytest.raises(ValueError, match="both models are one"):
        coupled(model, model, [("blocks.0", "blocks.0")], sites=({}, {}), adapter=Whisper)
    picture = vit().eval()
    found = sites(picture, PICTURE[..., :32])
    with pytest.raises(ValueError, match="no stream flows into 'heads' of visual"):
        coupled(picture, Blocks(6), [("heads", "heads")], sites=(found, found), adapter=Whisper)
    with pytest.raises(ValueError, match="'conv_proj' of visual goes from 1024 tokens of width 3 to 16 of 16"):
        coupled(picture, Blocks(6), [("conv_proj", "conv_proj")], sites=(found, found), adapter=Whisper)


def test_without_greenlet_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "greenlet", None)
    with pytest.raises(ImportError, match=r'needs the package greenlet .* pip install "crossmodal-blocks\[hooks\]"'):
        pair()
