"""Models with adapters, and adapter files of any content, for the tests of both."""

import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from crossmodal.checkpoints import adapter_file, load_adapters
from crossmodal.injection import freeze


def build(width=4, *, seed=0):
    """A frozen encoder with statistics of its own, and an adapter that a training step has moved."""
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))
    adapter = nn.Sequential(nn.Linear(width, 2), nn.BatchNorm1d(2))
    model = nn.ModuleDict({"encoder": freeze(encoder), "adapter": adapter})
    model["adapter"](torch.randn(8, width))
    return model


def state_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one, other):
    """Bit for bit: NaN equals NaN, and -0 is not 0."""
    return one.keys() == other.keys() and all(
        (a.dtype, a.shape) == (b.dtype, b.shape) and torch.equal(adapter_file.bytes_of(a), adapter_file.bytes_of(b))
        for a, b in ((one[name], other[name]) for name in one)
    )


def refused(model, file, error=ValueError, **expected):
    """The message with which a file is refused; the model is as it was."""
    before = state_of(model)
    with pytest.raises(error) as caught:
        load_adapters(model, file, **expected)
    assert same(before, state_of(model))
    return str(caught.value)


def written(file, state, header=None, *, form=adapter_file.FORMAT):
    """A file as `save_adapters` writes it, of any tensors and any format."""
    told = {"format": form, "header": header or {}}
    said = {**told, "sha256": adapter_file.digest(told, state)}
    save_file(state, file, {adapter_file.METADATA: json.dumps(said)})
    return file


def raw(file, header, data=b"", *, length=None):
    """The bytes of safetensors: the length of the header, the header (JSON, or bytes as they are), the tensors."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return file
