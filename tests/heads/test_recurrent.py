"""The LSTM of the temporal attention is torch's, and compiled whole it is still the same."""

import copy

import pytest
import torch
from torch import nn

from crossmodal.heads.recurrent import BidirectionalLSTM


def pair(channels=3, hidden=4):
    """Ours and torch's with the same weights."""
    torch.manual_seed(0)
    theirs = nn.LSTM(channels, hidden, batch_first=True, bidirectional=True).double()
    ours = BidirectionalLSTM(channels, hidden).double()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def gradients(rnn, output):
    output.square().sum().backward()
    found = {name: parameter.grad for name, parameter in rnn.named_parameters()}
    rnn.zero_grad()
    return found


def test_it_is_torchs_bit_for_bit():
    ours, theirs = pair()
    sequence = torch.randn(2, 5, 3, dtype=torch.float64)
    assert torch.equal(ours(sequence), theirs(sequence)[0])
    one, other = gradients(ours, ours(sequence)), gradients(theirs, theirs(sequence)[0])
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_it_starts_as_torchs():
    torch.manual_seed(1)
    ours = BidirectionalLSTM(3, 4).state_dict()
    torch.manual_seed(1)
    theirs = nn.LSTM(3, 4, batch_first=True, bidirectional=True).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_compiled_whole_it_is_the_same_for_any_number_of_clips():
    ours, _ = pair()
    compiled = torch.compile(copy.deepcopy(ours), fullgraph=True, backend="aot_eager", dynamic=True)
    for clips in (2, 3):
        sequence = torch.randn(clips, 3, 3, dtype=torch.float64)
        output = compiled(sequence)
        torch.testing.assert_close(output, ours(sequence), rtol=1e-12, atol=1e-14)
        found = {name.removeprefix("_orig_mod."): grad for name, grad in gradients(compiled, output).items()}
        torch.testing.assert_close(found, gradients(ours, ours(sequence)), rtol=1e-12, atol=1e-14)


def test_another_width_is_named():
    with pytest.raises(ValueError, match=r"BidirectionalLSTM: sequence has width 2 .* built for width 3"):
        pair()[0](torch.zeros(1, 5, 2, dtype=torch.float64))
