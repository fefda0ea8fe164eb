import copy
import hashlib
import pickle
import struct

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from crossmodal.encoders import swin_v2_large
from crossmodal.injection import fingerprint, freeze, freeze_all_but_norms, freeze_parameters, unfreeze


class Encoder(nn.Module):
    """Everything that behaves otherwise in training: batch statistics, dropout, drop-path."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.body = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), StochasticDepth(0.5, "row"))
        self.register_buffer("kept", torch.arange(3), persistent=False)

    def forward(self, x):
        return self.body(self.norm(x))


class Model(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.encoder(x))


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return freeze(Encoder())


X = torch.randn(64, 4, generator=torch.Generator().manual_seed(1)) + 3


def call_train_on_itself(encoder):
    encoder.train()


def call_train_on_a_parent(encoder):
    Model(nn.Sequential(encoder)).train()


def call_train_on_children(encoder):
    for child in encoder.modules():
        child.train()


def call_train_on_a_compiled_one(encoder):
    torch.compile(encoder, backend="eager").train()


@pytest.mark.parametrize(
    "wake",
    [call_train_on_itself, call_train_on_a_parent, call_train_on_children, call_train_on_a_compiled_one],
    ids=lambda wake: wake.__name__,
)
def test_law_7_statistics_dropout_and_drop_path_stay_off_after_train(encoder, wake):
    expected, before = encoder(X), fingerprint(encoder)
    wake(encoder)
    assert not any(module.training for module in encoder.modules())
    assert torch.equal(encoder(X), expected)
    assert fingerprint(encoder) == before


def test_law_7_a_training_step_leaves_the_fingerprint_and_moves_the_rest(encoder):
    model = Model(encoder).train()
    assert model.head.training
    before, head = fingerprint(encoder), fingerprint(model.head)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    model(X).square().mean().backward()
    optimizer.step()
    assert fingerprint(encoder) == before
    assert fingerprint(model.head) != head
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_an_unfrozen_encoder_does_move_so_that_the_law_can_fail():
    encoder = Encoder().train()
    before = fingerprint(encoder)
    encoder(X)
    assert fingerprint(encoder) != before


def test_an_optimizer_that_holds_an_old_gradient_cannot_step_on_it():
    encoder = Encoder()
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
    encoder(X).sum().backward()
    before = fingerprint(freeze(encoder))
    optimizer.step()
    assert fingerprint(encoder) == before


def test_gradients_flow_through_to_what_feeds_it(encoder):
    x = X.clone().requires_grad_()
    encoder(x).square().sum().backward()
    assert x.grad.abs().sum() > 0


def test_class_keys_and_values_are_untouched():
    encoder = Encoder()
    keys, kind = list(encoder.state_dict()), type(encoder)
    assert freeze(encoder) is encoder
    assert type(encoder) is kind
    assert list(encoder.state_dict()) == keys
    encoder.load_state_dict(Encoder().state_dict())


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))],
    ids=["deepcopy", "pickle"],
)
def test_law_13_copies_are_frozen_and_independent(encoder, duplicate):
    twin = duplicate(encoder)
    assert fingerprint(twin) == fingerprint(encoder)
    assert twin.train() is twin
    assert not any(module.training for module in twin.modules())
    unfreeze(twin).train()
    assert twin.norm.training
    assert not encoder.train().norm.training


def test_freezing_twice_is_freezing_once_and_unfreezing_restores_what_was():
    encoder = Encoder()
    encoder.norm.eval()
    encoder.norm.weight.requires_grad_(False)
    modes = [module.training for module in encoder.modules()]
    flags = [parameter.requires_grad for parameter in encoder.parameters()]
    unfreeze(freeze(freeze(encoder)))
    assert [module.training for module in encoder.modules()] == modes
    assert [parameter.requires_grad for parameter in encoder.parameters()] == flags
    assert encoder.train().norm.training
    assert "train" not in vars(encoder)


@pytest.mark.parametrize("before", [lambda module: module, freeze], ids=["as built", "frozen before"])
def test_frozen_in_its_parameters_alone_it_trains_and_rests_as_it_is_told(before):
    model = Model(freeze_parameters(before(Encoder())))
    encoder, parameters = model.encoder, [parameter.clone() for parameter in model.encoder.parameters()]
    assert all(module.training for module in encoder.modules())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    model.train()(X).sum().backward()
    optimizer.step()
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert all(map(torch.equal, encoder.parameters(), parameters))
    torch.testing.assert_close(encoder.norm.running_mean, 0.1 * X.mean(0))
    assert not torch.equal(encoder(X), encoder(X))
    assert not any(module.training for module in model.eval().modules())
    assert torch.equal(encoder(X), encoder(X))


@pytest.mark.parametrize("before", [lambda module: module, freeze, freeze_parameters], ids=lambda made: made.__name__)
def test_frozen_all_but_its_norms_only_their_scales_and_shifts_move(before):
    model = Model(freeze_all_but_norms(before(Encoder()))).train()
    norms = ("norm.weight", "norm.bias")
    rest = fingerprint(model.encoder, without=norms)
    kept = [model.encoder.get_parameter(name).clone() for name in norms]
    assert not any(module.training for module in model.encoder.modules())
    model(X).square().sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert fingerprint(model.encoder, without=norms) == rest
    assert not any(map(torch.equal, kept, map(model.encoder.get_parameter, norms)))


def test_the_norms_of_swin_v2_l_are_as_many_as_published_and_an_encoder_without_is_refused():
    with torch.device("meta"):
        swin = freeze_all_but_norms(swin_v2_large())
    # golden/README-tasks.md, fact 5: what the released code counts as trained of a frozen Swin
    assert sum(p.numel() for p in swin.parameters() if p.requires_grad) == 81_024
    with pytest.raises(ValueError, match=r"freeze_all_but_norms: this Linear has no norm .* take freeze"):
        freeze_all_but_norms(nn.Linear(2, 2))


def test_a_module_put_in_afterwards_trains(encoder):
    encoder.body.append(nn.Dropout(0.5))
    encoder.train()
    assert encoder.body[-1].training
    assert not encoder.body[1].training


def test_law_10_compiled_equals_plain(encoder):
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(X), encoder(X))


def test_the_fingerprint_is_a_hash_of_names_dtypes_shapes_and_bytes():
    module = nn.Linear(2, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.5, -2.0]]))
        module.bias.fill_(0.25)
    written = b"bias torch.float32 (1,)\n" + struct.pack("<f", 0.25)
    written += b"weight torch.float32 (1, 2)\n" + struct.pack("<2f", 1.5, -2.0)
    assert fingerprint(module) == hashlib.sha256(written).hexdigest()


def test_a_fingerprint_without_what_moves(encoder):
    statistics = [f"norm.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")]
    whole, part = fingerprint(encoder), fingerprint(encoder, without=statistics)
    unfreeze(encoder).train()(X)
    assert fingerprint(encoder) != whole
    assert fingerprint(encoder, without=statistics) == part != whole
    assert fingerprint(encoder, without=["kept"]) != part


def test_the_fingerprint_sees_names_dtypes_shapes_bytes_and_unsaved_buffers():
    encoder = Encoder()
    seen = {fingerprint(encoder)}
    encoder.kept[0] = 7
    seen.add(fingerprint(encoder))
    encoder.norm.running_mean[2] = torch.nextafter(encoder.norm.running_mean[2], torch.tensor(1.0))
    seen.add(fingerprint(encoder))
    encoder.kept = encoder.kept.view(1, 3)
    seen.add(fingerprint(encoder))
    encoder.kept = encoder.kept.to(torch.int32)
    seen.add(fingerprint(encoder))
    encoder.other, encoder.norm = encoder.norm, nn.Identity()
    seen.add(fingerprint(encoder))
    assert len(seen) == 6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.bool, torch.complex64])
def test_the_fingerprint_does_not_depend_on_strides_or_registration(dtype):
    one, other = nn.Module(), nn.Module()
    table, scalar = torch.randn(3, 2).to(dtype), torch.ones((), dtype=dtype)
    one.register_buffer("table", table)
    one.register_buffer("scalar", scalar)
    other.register_buffer("scalar", scalar)
    other.register_buffer("table", table.T.contiguous().T)
    assert fingerprint(one) == fingerprint(other)


def test_the_meta_device_has_no_fingerprint():
    with torch.device("meta"):
        encoder = Encoder()
    with pytest.raises(
        ValueError, match=r"fingerprint: 'body.0.bias' of Encoder is on the meta device .* load the weights"
    ):
        fingerprint(encoder)
