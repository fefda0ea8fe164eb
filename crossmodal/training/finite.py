"""Refusal of what is not a number: argmax of NaN is a class, so a diverged model would otherwise have an accuracy."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from crossmodal.checkpoints import adapter_state
from crossmodal.ledger.nested import tensors_in
from crossmodal.tasks.task import SystemModule

FIX = "lower --optim.lr, or bound the gradients by --trainer.gradient_clip_val 1"
DIVERGED = f"the training has diverged; {FIX}"
SHOWN = 5
"""Items of a batch that a sentence names."""


class NotANumberError(ValueError):
    """Says that a system's outputs for a batch hold NaN."""


def check_outputs(outputs: Any, batch: Any, where: str, *, verdict: str = DIVERGED) -> None:
    """Refuses outputs of a system that hold NaN, before a loss or a prediction is made of them.

    Infinities pass: a system may mask a class by one.

    Args:
        outputs: Of the system.
        batch: What they were computed from.
        where: Names the batch in the error: `"step 12 of the training"`.
        verdict: What is wrong where the batch is not, and what to do.

    Raises:
        NotANumberError: Saying whether the batch, too, holds what is no number.
    """
    if _any_nan(outputs):
        raise NotANumberError(_sentence("the outputs of the system", "NaN", batch, where, verdict))


def checked_prediction(system: SystemModule, outputs: Any, batch: Any, where: str, *, verdict: str = DIVERGED) -> Any:
    """Returns a system's prediction; refuses outputs that hold NaN, and a prediction that does, as of two infinities.

    Args:
        system: The system.
        outputs: Of the system.
        batch: What they were computed from.
        where: Names the batch in the error.
        verdict: What is wrong where the batch is not, and what to do.

    Raises:
        NotANumberError: As `check_outputs`.
    """
    check_outputs(outputs, batch, where, verdict=verdict)
    prediction = system.predict(outputs)
    if _any_nan(prediction):
        raise NotANumberError(_sentence("the prediction of the system", "NaN", batch, where, verdict))
    return prediction


def check_losses(terms: Mapping[str, Tensor], batch: Any, where: str, *, infinite: bool = False) -> None:
    """Refuses loss terms that are not finite.

    Args:
        terms: Name → term.
        batch: What they were computed from.
        where: Names the batch in the error.
        infinite: Whether infinities pass, as they must where losses are scaled and such a step is left out.

    Raises:
        ValueError: Naming the first such term.
    """
    values = [term.detach().float().mean() for term in terms.values()]
    wrong = torch.stack(values).isnan() if infinite else ~torch.stack(values).isfinite()
    if wrong.any():
        name = list(terms)[wrong.tolist().index(True)]
        raise ValueError(_sentence(f"the loss {name!r}", f"{float(terms[name].detach().float().mean())}", batch, where))


def check_epsilon(optimizer: Optimizer) -> None:
    """Refuses an optimizer whose epsilon is 0 in the dtype of its weights: it would divide 0 by 0.

    Raises:
        ValueError: Naming epsilon, dtype and what to do.
    """
    for group in optimizer.param_groups:
        epsilon = group.get("eps")
        for dtype in {weight.dtype for weight in group["params"]}:
            if isinstance(epsilon, float) and epsilon > 0 and not torch.tensor(epsilon).to(dtype):
                raise ValueError(
                    f"fit: the trained weights are {dtype}, in which {type(optimizer).__name__}'s eps={epsilon:g} is "
                    "0, so that its first step is no number: choose --trainer.precision bf16-true, 16-mixed or "
                    "bf16-mixed, or an --optim.optimizer with a larger eps."
                )


def check_weights(system: nn.Module, what: str) -> None:
    """Refuses trained weights that are not finite.

    Args:
        system: The system; what is frozen in it is not looked at.
        what: Names the run in the error.

    Raises:
        ValueError: Naming the first such tensor.
    """
    parameters = set(dict(system.named_parameters(remove_duplicate=False)))
    for name, tensor in adapter_state(system).items():
        wrong = ~tensor.isfinite() if name in parameters else tensor.isnan()
        if tensor.is_floating_point() and wrong.any():
            raise ValueError(
                f"{what} has diverged: {int(wrong.sum())} of {tensor.numel()} numbers of {name} are not finite, so it "
                f"has no score; {FIX}."
            )


def _sentence(what: str, value: str, batch: Any, where: str, verdict: str = DIVERGED) -> str:
    """Returns the error of a batch."""
    odd = list(_odd_fields(batch))
    if odd:
        return f"{where}: {what} became {value}, because the batch holds it already: {'; '.join(odd)}. Mend the data."
    return f"{where}: {what} became {value}: {verdict}."


def _odd_fields(batch: Any) -> Iterator[str]:
    """Yields a part of a sentence for every field of a batch with values that are not finite."""
    fields = batch._asdict() if hasattr(batch, "_asdict") else batch if isinstance(batch, Mapping) else {"input": batch}
    for name, value in fields.items():
        for tensor in tensors_in(value):
            if tensor.is_floating_point() and not tensor.isfinite().all():
                rows = (~tensor.flatten(1).isfinite()).any(1).nonzero().flatten().tolist() if tensor.ndim > 1 else []
                items = ", ".join(map(str, rows[:SHOWN])) + (" …" if len(rows) > SHOWN else "")
                yield f"{name!r} of its items {items}" if rows else f"{name!r}"


def _any_nan(value: Any) -> bool:
    """Returns whether a tensor in `value` holds NaN; one wait for the device, however many there are."""
    found = [tensor.detach().isnan().any() for tensor in tensors_in(value) if tensor.is_floating_point()]
    return bool(found) and bool(torch.stack(found).any())
