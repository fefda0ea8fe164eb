"""Whole systems that many tests build, at laptop size and at the published size, and their Lightning modules."""

from crossmodal.data import AVE_CLASSES
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.classify.dg_sct import dg_sct as dg_sct_classes
from crossmodal.tasks import ave
from crossmodal.training.lightning_module import SystemTraining
from crossmodal.training.options import parse

tiny, tiny_classes = dg_sct, dg_sct_classes


def full_size(**keywords):
    """Swin-V2-L and HTS-AT with random weights."""
    return dg_sct("swin_v2_l", "htsat", **{"classes": AVE_CLASSES, **keywords})


def training(system, **options):
    """The Lightning module of a system of AVE."""
    return SystemTraining(system, ave.TASK, **options)


def parsed(*words):
    """The parser of `crossmodal ave fit` and the options that words amount to."""
    return parse(list(words), ave.TASK)
