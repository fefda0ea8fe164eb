"""Every option has a sentence, and it is the one of the docstring."""

import pytest

from crossmodal.cli.ave_options import options
from crossmodal.cli.described import sentences
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.training.event_data import EventData


class Parent:
    """What all have.

    `left`: to the left. `right`: to the
    right of it, in 50 % of cases.
    """


class Child(Parent):
    """One of them. `left` is not a list.

    - `above`, `below`: two at once; see `Parent`.
    """

    def __init__(self, left, right, above, below, size):
        """- `size`: how large. `right`: this one is nearer."""


def test_lists_are_read_from_a_class_its_constructor_and_its_parents():
    assert sentences(Child) == {
        "size": "how large",
        "right": "this one is nearer",
        "above": "two at once; see Parent",
        "below": "two at once; see Parent",
        "left": "to the left",
    }


def test_what_has_no_docstring_says_nothing():
    assert sentences(lambda size: size) == {}


@pytest.fixture(scope="module")
def actions():
    return {action.dest: action for action in options("dg_sct")._actions}


def test_every_option_of_the_model_has_a_sentence(actions):
    asked = [action for name, action in actions.items() if name.startswith(("model.", "optim."))]
    assert len(asked) > 15
    assert [action.dest for action in asked if not action.help] == []


def test_it_is_the_one_of_the_docstring(actions):
    assert actions["model.frequency"].help == sentences(dg_sct)["frequency"]
    assert actions["data.batch_size"].help == sentences(EventData)["batch_size"]
    assert actions["model.channel"].help.startswith("guidance, called with the widths of stream and cue")
