"""CoOp, CoCoOp, CLIP-Adapter and MaPLe against their authors' code over one tiny CLIP."""

import pytest
import torch
from golden_prompts import close, facts, named_hash, named_weight, numbers
from torch.nn import functional as F

from crossmodal.checkpoints import import_clip
from crossmodal.data import Preprocess
from crossmodal.encoders import ClipText, clip_image, clip_model
from crossmodal.prompts import (
    ConditionalPrompts,
    DeepPrompts,
    FeatureAdapter,
    FixedPrompts,
    Sentences,
    StaticPrompts,
    at_end,
    at_front,
    in_middle,
)
from crossmodal.tasks.matched_system import MatchedByPicture, MatchedDeeply, MatchedFrames

LAYOUTS = {"end": at_end, "middle": in_middle, "front": at_front}


@pytest.fixture(scope="module")
def clip():
    shapes = facts("baselines/coop")["clip_tiny"]["state"]
    state = {name: named_weight("clip_tiny", name, shape) for name, shape in shapes.items()}
    state["logit_scale"] = torch.tensor(1.5)
    image = clip_image(32, patch=8, width=128, depth=4, heads=2)
    model = clip_model(image, ClipText(64, width=64, depth=4, heads=4))
    import_clip(model, state)
    return model.eval()


@pytest.fixture(scope="module")
def pictures():
    values = (3**0.5) * named_hash("clip_tiny/in/image", 3 * 3 * 32 * 32)
    return torch.from_numpy(values.astype("float32")).reshape(3, 3, 32, 32)


def stored(file, case):
    """Sentences, weights and options of a case; the vectors of words come from their embeddings."""
    of = facts(f"baselines/{file}")[case]
    ids = numbers(f"baselines/{file}", case, "in")["token_ids"].long()
    rows = tuple(map(tuple, ids[:, : int(ids.argmax(-1).max()) + 1].tolist()))
    shapes = {name.removeprefix("state/"): size for name, size in of["shapes"].items() if name.startswith("state/")}
    name_of = of.get("state_of", case)
    weights = {name: named_weight(name_of, name, size) for name, size in shapes.items()}
    weights.update(numbers(f"baselines/{file}", case, "state"))
    lengths = tuple(of["name_lengths"])
    context = weights["prompt_learner.ctx"]
    return of, Sentences(rows, lengths, context.shape[-2]), weights, context


def system_of(kind, clip, prompts, **parts):
    return kind(clip, lambda _: prompts, classes=("a",) * 5, preprocess=Preprocess(32), **parts)


def check(system, pictures, file, case, names):
    logits = system.match(pictures)
    close(logits, numbers(f"baselines/{file}", case, "out_eval")["logits"], 2e-5)
    labels = torch.tensor(facts(f"baselines/{file}")[case]["labels"])
    loss = F.cross_entropy(logits, labels)
    close(loss, numbers(f"baselines/{file}", case, "out_train")["loss"], 2e-5)
    gradients = numbers(f"baselines/{file}", case, "grad_param")
    found = torch.autograd.grad(loss, list(names.values()))
    for name, gradient in zip(names, found, strict=True):
        if name in gradients:
            close(gradient, gradients[name], 1e-4)
        else:
            sample = numbers(f"baselines/{file}", case, "grad_param_sample")[name]
            step = max(1, gradient.numel() // 512)
            close(gradient.flatten()[::step][: len(sample)], sample, 1e-4)


@pytest.mark.parametrize("case", ["coop_end", "coop_middle", "coop_front", "coop_csc_middle", "coop_words"])
def test_coop(case, clip, pictures):
    of, sentences, _, context = stored("coop", case)
    prompts = StaticPrompts(context, sentences, layout=LAYOUTS[of["options"]["CLASS_TOKEN_POSITION"]])
    system = system_of(MatchedFrames, clip, prompts)
    close(system.class_features(), numbers("baselines/coop", case, "out_eval")["text_features"], 2e-5)
    check(system, pictures, "coop", case, {"prompt_learner.ctx": prompts.context})


@pytest.mark.parametrize("case", ["cocoop_words", "cocoop_random"])
def test_cocoop(case, clip, pictures):
    _, sentences, weights, context = stored("cocoop", case)
    prompts = ConditionalPrompts(context, sentences, features=64)
    names = {"prompt_learner.ctx": prompts.context}
    for theirs, layer in (("linear1", prompts.enter), ("linear2", prompts.leave)):
        for part in ("weight", "bias"):
            name = f"prompt_learner.meta_net.{theirs}.{part}"
            names[name] = layer.get_parameter(part)
            names[name].data.copy_(weights[name])
    check(system_of(MatchedByPicture, clip, prompts), pictures, "cocoop", case, names)


def test_clip_adapter(clip, pictures):
    of = numbers("baselines/clip_adapter", "clip_adapter", "state")
    adapter = FeatureAdapter(64)
    adapter.load_state_dict({"down.weight": of["adapter.fc.0.weight"], "up.weight": of["adapter.fc.2.weight"]})
    # the template's ids are not stored: its features take their place
    features = numbers("baselines/clip_adapter", "clip_adapter", "out_eval")["text_features"]
    system = system_of(MatchedFrames, clip, FixedPrompts(torch.zeros(5, 1, dtype=torch.long)), adapter=adapter)
    system.prompts.class_features = lambda text: features
    names = {"adapter.fc.0.weight": adapter.down.weight, "adapter.fc.2.weight": adapter.up.weight}
    check(system, pictures, "clip_adapter", "clip_adapter", names)


@pytest.mark.parametrize("case", ["maple_words", "maple_shallow_random", "maple_deep_random"])
def test_maple(case, clip, pictures):
    of, sentences, weights, context = stored("maple", case)
    depth = of["options"]["PROMPT_DEPTH"]
    prompts = DeepPrompts(context, sentences, visual_widths=(128,) * depth)
    names = {"prompt_learner.ctx": prompts.context}
    for part in ("weight", "bias"):
        names[f"prompt_learner.proj.{part}"] = prompts.project.get_parameter(part)
        for at, layer in enumerate(prompts.deep_project):
            names[f"prompt_learner.compound_prompt_projections.{at}.{part}"] = layer.get_parameter(part)
    names |= {f"prompt_learner.compound_prompts_text.{at}": vectors for at, vectors in enumerate(prompts.deep)}
    with torch.no_grad():
        for name, parameter in names.items():
            parameter.copy_(weights[name])
    system = system_of(MatchedDeeply, clip, prompts)
    close(system.class_features(), numbers("baselines/maple", case, "out_eval")["text_features"], 2e-5)
    check(system, pictures, "maple", case, names)
