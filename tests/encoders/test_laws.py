"""What holds for every encoder, at a tiny size.

Compiled, and by all laws at once, they are in `tests/injection/test_encoder.py`.
"""

import copy
import io
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from crossmodal.attention import CosineWindowAttention, WindowAttention
from crossmodal.encoders import htsat, swin_v2


def tiny_swin(**changed):
    return swin_v2(32, **{"width": 8, "depths": (2, 1), "heads": (2, 4), "window": 4} | changed)


def tiny_htsat(**changed):
    return htsat(64, **{"mels": 32, "width": 8, "depths": (2, 1), "heads": (2, 4), "window": 4} | changed)


ENCODERS = [
    pytest.param(tiny_swin, lambda: torch.randn(3, 3, 32, 32), id="swin_v2"),
    pytest.param(tiny_htsat, lambda: torch.randn(3, 61, 32) * 20 - 40, id="htsat"),
]
pytestmark = pytest.mark.parametrize(("build", "draw"), ENCODERS)


def trained(build, **changed):
    """As after training: the norms that start at zero have moved, and the BatchNorm has seen data."""
    torch.manual_seed(0)
    encoder = build(**changed)
    for module in encoder.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.normal_(module.weight, 1.0, 0.2)
            nn.init.normal_(module.bias, 0.0, 0.2)
        if isinstance(module, nn.BatchNorm1d):
            nn.init.constant_(module.running_mean, -40.0)
            nn.init.constant_(module.running_var, 400.0)
    return encoder.eval()


def test_it_is_the_loop_of_its_sections_each_run_once_and_in_order(build, draw):
    encoder, x, ran = trained(build), draw(), []
    for name in encoder.names:
        encoder.section(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    whole = encoder(x)
    assert tuple(ran) == encoder.names
    stream = encoder.stem(x)
    for name in encoder.names:
        stream = encoder.section(name)(stream)
    assert torch.equal(whole, encoder.head(stream))


def test_sites_tell_width_and_tokens_before_any_forward(build, draw):
    encoder = build()
    stream = encoder.stem(draw())
    for site in encoder.sites:
        if site.name != "stem":
            stream = encoder.section(site.name)(stream)
        assert stream.shape == (3, site.tokens, site.width)
        assert len(set(zip(*site.axes.values(), strict=True))) == site.tokens


def test_evaluation_is_deterministic_and_training_is_not(build, draw):
    encoder, x = trained(build, drop_path=0.5), draw()
    assert torch.equal(encoder(x), encoder(x))
    encoder.train()
    assert not torch.equal(encoder(x), encoder(x))


def test_frames_do_not_leak_in_evaluation(build, draw):
    encoder, x = trained(build), draw()
    other = x.clone()
    other[1] = draw()[1]
    changed = (encoder(x) != encoder(other)).flatten(1).any(1)
    assert changed.tolist() == [False, True, False]


def test_built_on_meta_and_loaded_it_is_the_one_built_here(build, draw):
    here, x = trained(build), draw()
    with torch.device("meta"):
        emptied, assigned = build().eval(), build().eval()
    emptied = emptied.to_empty(device="cpu")
    emptied.load_state_dict(here.state_dict())
    assigned.load_state_dict(here.state_dict(), assign=True)
    assert torch.equal(emptied(x), here(x))
    assert torch.equal(assigned(x), here(x))


def test_deepcopy_and_pickle_change_nothing(build, draw):
    encoder, x, file = trained(build), draw(), io.BytesIO()
    expected = encoder(x)
    torch.save(encoder, file)
    file.seek(0)
    assert torch.equal(copy.deepcopy(encoder)(x), expected)
    assert torch.equal(torch.load(file, weights_only=False)(x), expected)


def gradients(encoder, output):
    output.square().sum().backward()
    found = {name: parameter.grad for name, parameter in encoder.named_parameters()}
    encoder.zero_grad()
    return found


def test_every_parameter_gets_a_gradient_but_where_the_algebra_forbids_it(build, draw):
    encoder = trained(build)
    for name, gradient in gradients(encoder, encoder(draw())[..., 0]).items():
        # A constant added to every key adds the same to all logits of a query: the softmax does not see it.
        largest = gradient.abs().max().item()
        assert largest < 1e-5 if name.endswith("key.bias") else largest > 1e-8, name


@pytest.mark.slow
def test_compiled_for_training_it_still_draws(build, draw):
    encoder, x = trained(build, depths=(2,), heads=(2,), drop_path=0.5).train(), draw()
    compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
    assert not torch.equal(compiled(x), compiled(x))


def test_checkpointed_sections_give_the_same_gradients(build, draw):
    encoder, x = trained(build), draw()
    stream = encoder.stem(x)
    for section in encoder.sections.values():
        stream = checkpoint(section, stream, use_reentrant=False)
    plain = gradients(encoder, encoder(x))
    torch.testing.assert_close(gradients(encoder, encoder.head(stream)), plain)


def test_autocast_stays_near(build, draw):
    encoder, x = trained(build), draw()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = encoder(x)
    torch.testing.assert_close(low.float(), encoder(x), atol=0.25, rtol=0)


def test_a_backend_is_chosen_by_a_factory(build, draw):
    kind = CosineWindowAttention if build is tiny_swin else WindowAttention
    encoder, x = trained(build), draw()
    other = trained(build, attention=partial(kind, backend="reference"))
    other.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(other(x), encoder(x), atol=1e-4, rtol=1e-4)
