"""Controls in a whole system: a clip under `shuffled` hears another one, however long clips are."""

import pytest
import torch
from small_events import small_events

from crossmodal.adapters import shuffled


@pytest.mark.parametrize("segments", [1, 3, 10, 20])
def test_under_shuffled_no_second_of_a_clip_hears_its_own_sound(segments):
    system = small_events(temporal=None, guide=shuffled, edges=(("audio", "visual"),)).eval()
    frames, wave = torch.randn(2, segments, 3, 16, 16), torch.randn(2, segments, 1000)
    heard = []
    for clip in range(2):
        other = wave.clone()
        other[clip] = torch.randn(segments, 1000)
        with torch.no_grad():
            heard.append((system.pool(frames, other).visual - system.pool(frames, wave).visual)[0].abs().amax(1) > 1e-6)
    own, of_the_other = heard
    assert not own.any()
    assert of_the_other.all()
