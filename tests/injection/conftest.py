"""The third-party models that the tests of injection share."""

import pytest
import torch
from third_party import CASES


@pytest.fixture(params=CASES)
def case(request):
    build, picture, pattern, name = CASES[request.param]
    torch.manual_seed(2)
    return build().eval(), picture, pattern, name
