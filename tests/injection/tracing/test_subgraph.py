"""The code of a model between its modules: kept where it can be, refused in words where it cannot."""

import pytest
import torch
from third_party import PICTURE, Recursive, convnext
from torch import nn

from crossmodal.injection import sections_of


def gradients(call, given, weights):
    given = given.clone().requires_grad_()
    output = call(given)
    blend = (output * torch.arange(1.0, output.numel() + 1).cos().view(output.shape)).sum()
    return output, torch.autograd.grad(blend, [given, *weights], allow_unused=True)


class Chain(nn.Module):
    """Blocks, and whatever a test puts between them."""

    def __init__(self, between=lambda self, at, x, start: x, blocks=2):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(blocks)])
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("table", torch.randn(1, 5, 4))
        self.plain = torch.randn(1, 5, 4)
        self.between = between

    def forward(self, x):
        start = x = x + self.table
        for at, block in enumerate(self.blocks):
            x = block(self.between(self, at, x, start))
        return x.mean(1)


def tokens():
    return torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))


def test_glue_between_blocks_stays_and_numbers_of_frames_are_followed():
    def glue(self, at, x, start):
        frames = x.shape[0]
        x = x * self.scale + torch.arange(5.0, device=x.device)[:, None] + self.table
        x[:, 0] = 1.0
        return x.reshape(frames * 5, 4).view(frames, 5, 4).clamp_(max=3)

    model = Chain(glue)
    encoder = sections_of(model, "blocks.*", tokens())
    for frames in (1, 2, 7):
        given = torch.randn(frames, 5, 4)
        assert torch.equal(encoder(given), model(given))
    assert sum(parameter is model.scale for parameter in encoder.parameters()) == 1
    with torch.no_grad():
        model.scale.mul_(3)
    assert torch.equal(encoder(tokens()), model(tokens()))
    assert torch.equal(encoder.double()(tokens().double()), model.double()(tokens().double()))


@pytest.mark.parametrize(
    ("between", "message"),
    [
        (
            lambda self, at, x, start: x + start if at else x,
            "'blocks.1' needs .* besides the stream that flows into it",
        ),
        (lambda self, at, x, start: x * x.sum().item(), r"calls item\(\) on a tensor between its modules"),
        (lambda self, at, x, start: x if x.sum() > 0 else -x, r"calls __bool__\(\) on a tensor"),
        (lambda self, at, x, start: x + self.plain, "neither a parameter, nor a buffer"),
        (lambda self, at, x, start: x * len(x) ** 2, "called with 4 for 2 frames and with 9 for 3"),
        (lambda self, at, x, start: x + 1 if len(x) > 2 else x, "on another input the model runs other code"),
        (lambda self, at, x, start: torch.rand_like(x), r"apart: the model does something .* draws at random"),
        (lambda self, at, x, start: x.add_(1) if at else x, "'blocks.0' is overwritten in place"),
        (lambda self, at, x, start: self.blocks[0](x), "'blocks.0' runs more than once"),
        (lambda self, at, x, start: x.flatten(0, 1)[None] if at else x, "has the shape .* but the example 2 frames"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_words(between, message):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=message):
        sections_of(Chain(between), "blocks.*", tokens())


@pytest.mark.parametrize(
    ("patterns", "example", "message"),
    [
        ("block.*", (tokens(),), r"'block\.\*' matches no module that ran in the probe; nearest are 'blocks\.."),
        ("blocks.*", (), "the example holds 0 tensors"),
        ("blocks.*", (tokens(), tokens()), "the example holds 2 tensors"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(patterns, example, message):
    class Two(Chain):
        def forward(self, x=None, other=None):
            return super().forward(tokens() if x is None else x)

    with pytest.raises(ValueError, match=message):
        sections_of(Two(), patterns, *example)


def test_modules_inside_one_another_and_recursive_ones_are_refused():
    with pytest.raises(ValueError, match=r"'features\.1\..' lies inside 'features\.1'"):
        sections_of(convnext(), ["features.1", "features.1.*"], PICTURE)
    with pytest.raises(ValueError, match=r"'block\.linear' runs more than once in a forward"):
        sections_of(Recursive(), ["block.linear"], tokens())


def test_law_10_compiled_glue_equals_plain():
    def glue(self, at, x, start):
        return (x * self.scale).reshape(len(x) * 5, 4).view(len(x), 5, 4) + torch.arange(4.0, device=x.device)

    encoder = sections_of(Chain(glue), "blocks.*", tokens())
    compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager", dynamic=True)
    weights = list(encoder.parameters())
    for frames in (2, 3):
        given = torch.randn(frames, 5, 4)
        torch.testing.assert_close(*(gradients(call, given, weights) for call in (compiled, encoder)))
