import math

import pytest
import torch

from crossmodal.attention import attend, backends, explain
from crossmodal.shapes import shape_checks

QUERY, VALUE = torch.randn(2, 3, 2, 8), torch.randn(2, 3, 2, 4)


def test_it_prints_and_returns_the_kernel_of_every_backend_and_the_reasons_against(capsys):
    explanation = explain(QUERY, QUERY, QUERY)
    printed = capsys.readouterr().out
    assert str(explanation) + "\n" == printed
    assert "attend on cpu, float32: query (2, 3, 2, 8)" in printed
    assert "sdpa runs the flash kernel" in printed
    assert "reference runs" in printed
    assert "xformers would not run" in printed


def test_the_kernel_is_the_one_that_the_profiler_sees(capsys):
    for value, named, operator in [(QUERY, "flash", "flash_attention_for_cpu"), (VALUE, "math", "attention_math")]:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True) as profile:
            attend(QUERY, QUERY, value)
        assert explain(QUERY, QUERY, value).kernels["sdpa"] == f"the {named} kernel"
        assert any(operator in event.key for event in profile.key_averages())


def test_torch_gives_its_own_reason_against_a_fused_kernel(capsys):
    assert "same last dimension" in explain(QUERY, QUERY, VALUE).refusals["sdpa/flash"]
    assert "sdpa/flash would not run: Flash attention requires" in capsys.readouterr().out


def test_a_context_that_leaves_sdpa_no_kernel_is_told(capsys):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        explanation = explain(QUERY, QUERY, VALUE)
    assert "sdpa" not in explanation.kernels
    assert "same last dimension" in explanation.refusals["sdpa"]


def test_xformers_speaks_for_itself_and_the_fix_follows(capsys):
    pytest.importorskip("xformers")
    reasons = explain(QUERY, QUERY, QUERY).refusals["xformers"]
    assert "`cutlassF-pt` is not supported because" in reasons
    assert "Fix: xformers runs on CUDA only and these tensors are on cpu" in reasons


def test_the_cuda_12_trap_is_named_with_both_remedies(monkeypatch):
    cpp = pytest.importorskip("xformers._cpp_lib")
    monkeypatch.setattr(cpp, "_cpp_library_load_exception", OSError("libcudart.so.12"))
    fix = backends.xformers_fix(torch.device("cuda"))
    assert "although xformers.info calls them available" in fix
    assert "torch==2.10.*" in fix
    assert "wheel built for CUDA 13" in fix


def test_rows_that_hide_every_key_are_a_caution(capsys):
    bias = torch.zeros(1, 2, 3, 3)
    bias[0, 0, 1] = -math.inf
    assert "(batch, head, query) = (0, 0, 1)" in explain(QUERY, QUERY, QUERY, bias=bias).caution
    assert "caution: 1 of 6 rows of bias" in capsys.readouterr().out


def test_autocast_counts(capsys):
    with torch.autocast("cpu", dtype=torch.bfloat16), shape_checks(True):
        assert "bfloat16" in explain(QUERY, QUERY, QUERY).tensors


def test_meta_tensors_have_no_kernel(capsys):
    query = QUERY.to("meta")
    assert "meta tensors have shapes only" in explain(query, query, query).kernels["sdpa"]
