"""What is no number has no score: losses, outputs, weights and finished runs, refused in words."""

from typing import NamedTuple

import pytest
import torch
from commands import SMALL, crossmodal
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from crossmodal.evaluation.paired import read_result
from crossmodal.metrics.matched import matched_counts
from crossmodal.tasks import ave
from crossmodal.training.finite import check_epsilon, check_losses, check_outputs, check_weights, checked_prediction
from crossmodal.training.lightning_module import SystemTraining

ODD = st.sampled_from([float("nan"), float("inf"), -float("inf")])


class Batch(NamedTuple):
    frames: Tensor
    labels: Tensor


def batch(**fields):
    return Batch(**{"frames": torch.zeros(4, 2), "labels": torch.zeros(4, dtype=torch.long), **fields})


@given(st.integers(0, 3), ODD)
def test_a_batch_that_holds_it_is_named_with_its_items(item, value):
    frames = torch.zeros(4, 2)
    frames[item, 1] = value
    with pytest.raises(ValueError, match=rf"step 3: .* the batch holds it already: 'frames' of its items {item}"):
        check_outputs({"logits": [torch.tensor([0.0, float("nan")])]}, batch(frames=frames), "step 3")


@given(st.lists(ODD, min_size=1))
def test_outputs_may_be_infinite_but_no_nan(values):
    outputs = (torch.tensor(values), torch.zeros(2, dtype=torch.long))
    if any(value != value for value in values):
        with pytest.raises(ValueError, match="the outputs of the system became NaN: the training has diverged; lower"):
            check_outputs(outputs, batch(), "step 0")
    else:
        check_outputs(outputs, batch(), "step 0")


@given(ODD)
def test_a_prediction_of_infinities_is_refused_where_it_is_no_number(value):
    class Softmax(nn.Module):
        def predict(self, outputs):
            return outputs.softmax(0)

    for outputs in (torch.tensor([value, 0.0]), torch.tensor([value, value])):
        if outputs.softmax(0).isnan().any():
            with pytest.raises(ValueError, match=r"step 0: the (outputs|prediction) of the system became NaN"):
                checked_prediction(Softmax(), outputs, batch(), "step 0")
        else:
            assert checked_prediction(Softmax(), outputs, batch(), "step 0").isfinite().all()


@given(st.integers(0, 5))
def test_scores_of_nan_have_no_best_label(at):
    scores, target = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    scores.view(-1)[at] = float("nan")
    with pytest.raises(ValueError, match="matched_counts: 1 of 6 scores are NaN"):
        matched_counts(scores, target)


@given(ODD)
def test_a_loss_is_named_and_infinities_pass_where_losses_are_scaled(value):
    terms = {"event": torch.tensor(1.0), "gate": torch.tensor([value, 0.0])}
    with pytest.raises(ValueError, match=r"the loss 'gate' became (nan|inf|-inf): the training has diverged"):
        check_losses(terms, batch(), "step 0")
    if value == value:
        check_losses(terms, batch(), "step 0", infinite=True)
    check_losses({"event": torch.tensor(1.0)}, batch(), "step 0")


def test_weights_that_are_not_finite_have_no_score():
    system = nn.Sequential(nn.Linear(2, 2))
    check_weights(system, "run a")
    with torch.no_grad():
        system[0].bias[1] = float("inf")
    with pytest.raises(
        ValueError, match=r"run a has diverged: 1 of 2 numbers of 0\.bias are not finite.*lower --optim"
    ):
        check_weights(system, "run a")


@pytest.mark.parametrize("task", ["ave", "classify"])
def test_a_run_that_diverges_stops_and_is_in_no_table(tmp_path, task):
    words = [*SMALL, "--data.clips=6", "--trainer.max_epochs=1", "--optim.lr=1e30"]
    said = crossmodal(tmp_path, task, "fit", "--name", "nan", *words)
    assert said.code == 1
    (line,) = said.err.strip().splitlines()
    assert line.startswith("crossmodal: step ")
    assert "became NaN: the training has diverged; lower --optim.lr" in line
    assert "accuracy" not in said.out
    assert not {"adapters.safetensors", "summary.json", "predictions.csv"} & {
        file.name for file in (tmp_path / "runs/nan").iterdir()
    }


def test_a_validation_that_is_no_number_stops_the_run(tmp_path, monkeypatch):
    step = SystemTraining.validation_step
    ruined = batch_of_nan(step)
    monkeypatch.setattr(SystemTraining, "validation_step", ruined)
    said = crossmodal(tmp_path, "classify", "fit", "--name", "nan", *SMALL, "--trainer.max_epochs=1")
    assert said.code == 1
    assert "batch 0 of the validation: the outputs of the system became NaN, because the batch holds it" in said.err
    assert "'wave' of its items 0, 1" in said.err


def batch_of_nan(step):
    """A step whose batches have no number in their sound."""

    def ruined(self, batch, index):
        return step(self, batch._replace(wave=batch.wave * float("nan")), index)

    return ruined


@pytest.mark.parametrize("column", ["value", "weight", "score"])
def test_a_finished_run_of_nan_enters_no_table(tmp_path, column):
    rows = {"clip": ["nan", "b"], "truth": ["nan", "x"], "score": [0.5, 0.5], "value": [1.0, 0.0], "weight": [1.0, 1.0]}

    def write(**changed):
        columns = {**rows, **changed}
        lines = zip(*columns.values(), strict=True)
        text = "\n".join([",".join(columns), *(",".join(map(str, line)) for line in lines)])
        (tmp_path / "predictions.csv").write_text(text + "\n")

    write()
    assert set(read_result(tmp_path, "ave")) == {"nan", "b"}
    write(**{column: ["nan", 1.0]})
    with pytest.raises(ValueError, match=rf"the {column} of 1 of 2 rows is no finite number: the run diverged"):
        read_result(tmp_path, "ave")


@given(st.sampled_from([torch.float16, torch.bfloat16, torch.float32]), st.integers(-12, -1))
def test_an_epsilon_that_is_nothing_in_the_dtype_of_the_weights_is_refused(dtype, exponent):
    weight = nn.Parameter(torch.zeros(1, dtype=dtype))
    optimizer = torch.optim.Adam([weight], eps=10.0**exponent)
    if torch.tensor(10.0**exponent, dtype=dtype) == 0:
        with pytest.raises(ValueError, match=r"weights are torch\.float16, in which Adam's eps=1e-\d+ is 0.*bf16-true"):
            check_epsilon(optimizer)
    else:
        check_epsilon(optimizer)
        weight.grad = torch.zeros(1, dtype=dtype)  # the gradient behind a gate that starts at zero
        optimizer.step()
        assert weight.isfinite().all()


def test_a_training_in_float16_is_refused_before_its_first_step():
    system = nn.Linear(1, 1).half()
    with pytest.raises(ValueError, match="choose --trainer"):
        SystemTraining(system, ave.TASK).configure_optimizers()
    SystemTraining(system.bfloat16(), ave.TASK).configure_optimizers()
