"""Laws of whole coupled models: unchanged streams at first, every section once and in order, frozen encoders."""

import torch
from torch import nn

from ...injection import Encoder, Lockstep, fingerprint
from ..law import NotApplicable, Violation, expect, expect_close, law
from ..trial import Trial
from .inputs import must_name
from .learning import learn, still, training_step


def lockstep_of(block: nn.Module) -> Lockstep:
    """Returns the block, which must be a lockstep."""
    if not isinstance(block, Lockstep):
        raise Violation(f"expected a Lockstep, found a {type(block).__name__}")
    return block


@law(1, "identity at initialisation", examples=1)
def equals_its_encoders(trial: Trial) -> None:
    """As built, every stream equals that of its encoder running alone, bit for bit."""
    model = lockstep_of(trial.build().eval())
    outputs = trial.run(model)
    for name, x in trial.inputs.items():
        encoder = model.encoder(name)
        stream = encoder.stem(x)
        for section in encoder.names:
            stream = encoder.section(section)(stream)
        expect_close(f"stream {name!r} as built", outputs[f"streams[{name!r}]"], stream)


@law(9, "sections once and in order", examples=1)
def every_section_runs_once_a_stream(trial: Trial) -> None:
    """Every section of every encoder runs once for each stream through it, and first in order."""
    model = lockstep_of(trial.build().eval())
    ran: list[tuple[str, str]] = []
    for key, encoder in model.encoders.items():
        if not isinstance(encoder, Encoder):
            raise Violation(f"encoder {key!r}: expected an Encoder, found a {type(encoder).__name__}")
        for name in encoder.names:
            encoder.section(name).register_forward_pre_hook(lambda *_, at=(key, name): ran.append(at))
    trial.run(model)
    for key in model.encoders:
        shared = [name for name, of in model.streams.items() if of == key]
        names = model.encoder(shared[0]).names if shared else ()
        found = [name for at, name in ran if at == key]
        counts = {name: found.count(name) for name in names}
        often = {name: count for name, count in counts.items() if count != len(shared)}
        expect(not often, f"encoder {key!r}: {len(shared)} streams run through it, but its sections ran {often} times")
        order = list(dict.fromkeys(found))
        expect(order == list(names), f"encoder {key!r}: expected the order {list(names)}, found {order}")


@law(7, "every parameter learns", examples=1)
def every_coupler_learns(trial: Trial) -> None:
    """Once every zero-initialised scale has moved, every trainable parameter of the couplers gets a gradient."""
    learn(trial, lambda block: lockstep_of(block).couplers)


@law(7, "frozen means frozen", examples=1)
def frozen_encoders_stay(trial: Trial) -> None:
    """Encoders that no gradient may reach have the same fingerprint before and after a training step of the whole."""
    model = lockstep_of(trial.woken())
    frozen = [of for of in model.encoders.values() if not any(weight.requires_grad for weight in of.parameters())]
    if not frozen:
        raise NotApplicable("no encoder is frozen")
    before = [fingerprint(encoder) for encoder in frozen]
    training_step(trial, model)
    for encoder, was in zip(frozen, before, strict=True):
        still(encoder, was)


@law(12, "bad input is named", examples=1)
def bad_streams_are_named(trial: Trial) -> None:
    """A stream that is missing, unknown or of other frames raises an error naming block, streams and both values."""
    model = lockstep_of(trial.woken())
    first, *others = trial.inputs
    frames = len(trial.inputs[first])
    missing = {name: tensor for name, tensor in trial.inputs.items() if name != first}
    cases = {
        f"inputs without {first!r}": (missing, first),
        "inputs for a stream 'nobody'": ({**trial.inputs, "nobody": trial.inputs[first]}, "nobody"),
    }
    if others and any(len(getattr(coupler, "edges", ())) for coupler in model.couplers.values()):
        doubled = torch.cat([trial.inputs[first]] * 2)
        cases[f"{first!r} with {2 * frames} frames"] = ({**trial.inputs, first: doubled}, str(2 * frames))
    for what, (inputs, value) in cases.items():
        try:
            model(inputs)
        except Exception as error:
            must_name(what, error, "the block", ["Lockstep", "Coupler"])
            must_name(what, error, "both values", [value])
        else:
            raise Violation(f"{what}: expected an error, found none")
