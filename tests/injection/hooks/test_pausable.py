"""Hooks of ours keep their place: what a user's hook sees does not depend on when ours was paused."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.injection.hooks.pausable import on_input, on_output

WHO = st.lists(st.sampled_from(["append", "prepend", "remove first", "remove last"]), max_size=5)


class Walk:
    """A module with hooks of others, and one of ours that is paused while some of them come and go, or is not."""

    def __init__(self, register, ours, pausing):
        self.module, self.ran, self.handles, self.register, self.pausing = nn.Identity(), [], [], register, pausing
        self.act(["append"])
        self.hook = ours(self.module, lambda *given: self.ran.append("ours"))

    def act(self, acts):
        for act in acts:
            if act.startswith("remove"):
                if len(self.handles) > 1:  # its neighbours tell its place
                    self.handles.pop(0 if act == "remove first" else -1).remove()
            else:
                self.seen(len(self.handles), act == "prepend")

    def seen(self, name, prepend):
        register = getattr(self.module, self.register)
        self.handles.append(register(lambda *_: self.ran.append(f"theirs {name}"), prepend=prepend))

    def order(self, before, meanwhile, after):
        self.act(before)
        if self.pausing:
            self.hook.pause()
            self.hook.pause()
        self.act(meanwhile)
        if self.pausing:
            self.hook.resume()
            self.hook.resume()
        self.act(after)
        self.module(torch.zeros(1))
        return self.ran


@given(st.sampled_from(["register_forward_hook", "register_forward_pre_hook"]), WHO, WHO, WHO)
def test_a_pause_never_changes_the_order(register, before, meanwhile, after):
    ours = on_output if register == "register_forward_hook" else on_input
    meanwhile = [act for act in meanwhile if not act.startswith("remove")]
    paused, steady = (Walk(register, ours, pausing) for pausing in (True, False))
    assert paused.order(before, meanwhile, after) == steady.order(before, meanwhile, after)


def test_while_paused_the_module_has_no_hook_and_removed_it_has_none_for_good():
    module = nn.Identity()
    hook = on_output(module, lambda *_: None)
    hook.pause()
    assert not module._forward_hooks
    hook.remove()
    hook.resume()
    assert not module._forward_hooks
    assert not module._forward_hooks_with_kwargs
