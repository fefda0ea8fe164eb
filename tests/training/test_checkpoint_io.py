"""States are compared entry by entry: by shape where they are tensors, and extra state is what a module makes of it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.checkpoints import adapter_state
from crossmodal.tasks import ave
from crossmodal.training.checkpoint_io import CHECKPOINTS, LAST, differences, last_checkpoint
from crossmodal.training.lightning_module import SystemTraining

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
) | st.integers(0, 3).map(torch.zeros)


class Remembering(nn.Module):
    """A module whose extra state is anything."""

    def __init__(self, kept):
        super().__init__()
        self.layer, self.kept = nn.Linear(1, 1), kept

    def get_extra_state(self):
        return self.kept

    def set_extra_state(self, state):
        self.kept = state


@given(VALUES, VALUES)
def test_extra_state_of_any_kind_is_no_difference(ours, theirs):
    one, two = (nn.Sequential(Remembering(kept)) for kept in (ours, theirs))
    assert differences(adapter_state(one), two.state_dict()) == []
    assert differences(one.state_dict(), two.state_dict()) == []


def test_what_differs_is_named():
    ours = {"a": torch.zeros(2), "b": torch.zeros(1), "c": torch.zeros(1)}
    theirs = {"a": torch.zeros(3), "b": {"not": "a tensor"}, "d": torch.zeros(1)}
    assert differences(ours, theirs) == [
        "  a: (3,) in the file, (2,) here",
        "  b: a dict in the file, (1,) here",
        "  c: missing from the file",
        "  d: in the file, not in the model",
    ]


def test_a_run_does_not_go_on_with_labels_in_another_order(tmp_path):
    def training(classes):
        return SystemTraining(Labelled(classes), ave.TASK)

    begun = training(("a", "b"))
    stored = {"state_dict": begun.state_dict(), "global_step": 3, "loops": {}}
    begun.on_save_checkpoint(stored)
    (tmp_path / CHECKPOINTS).mkdir()
    torch.save(stored, tmp_path / CHECKPOINTS / LAST)
    assert last_checkpoint(tmp_path, training(("a", "b"))).step == 3
    with pytest.raises(ValueError, match=r"cannot be resumed on data of other labels: .* number 0 was 'a', now 'b'"):
        last_checkpoint(tmp_path, training(("b", "a")))
    del stored["labels"]  # as of earlier versions
    torch.save(stored, tmp_path / CHECKPOINTS / LAST)
    assert last_checkpoint(tmp_path, training(("b", "a"))).step == 3


class Labelled(nn.Linear):
    """A system with labels."""

    def __init__(self, classes):
        super().__init__(1, 2)
        self.classes = classes
