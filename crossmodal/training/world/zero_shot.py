"""Zero-shot figures of tiny CLIP and tiny CLAP on the world of pairs: all classes, and those that were held out."""

import torch
from torch import Tensor

from crossmodal.data.world import World
from crossmodal.data.world.captions import PHOTO, SOUND, held_out_pairs
from crossmodal.encoders.by_name.tiny import tiny_log_mel
from crossmodal.encoders.by_name.tiny_texts import tiny_tokenizer
from crossmodal.encoders.towers import DualEncoder


@torch.no_grad()
def zero_shot(clip: DualEncoder, clap: DualEncoder, world: World) -> dict[str, float]:
    """Returns the accuracy per second with an event, of each model alone and of the sum of their log-probabilities.

    “held-out” counts the seconds whose event is a pair that no caption named: among all pairs, and among the held-out
    ones, as where only new names are asked for. “seen” asks whether the pair of the highest score is shown at all.
    """
    log_mel, names, parts = tiny_log_mel(), world.classes, list[tuple[Tensor, ...]]()
    tokenizer = tiny_tokenizer()
    texts = [model.text(tokenizer([how.format(n) for n in names])) for model, how in ((clip, PHOTO), (clap, SOUND))]
    for index in range(len(world)):
        frames, wave, labels = world[index]
        truth = world.truth(index)
        shown = torch.zeros(len(labels), len(names), dtype=torch.bool)
        for second, on in enumerate(truth.shown):
            pairs = truth.objects.texture[second] * world.difficulty.colours + truth.objects.colour
            shown[second, torch.from_numpy(pairs[on])] = True
        scores = [logits(clip, frames, texts[0]), logits(clap, log_mel(wave), texts[1])]
        parts.append((*scores, labels, shown))
    seen, heard, labels, shown = (torch.cat(part) for part in zip(*parts, strict=True))
    new = torch.tensor([*map(names.index, held_out_pairs())])
    events, hidden = labels < len(names), torch.isin(labels, new)
    best = seen.argmax(-1)
    found = {"CLIP: pair is seen": shown.gather(1, best[:, None]).double().mean().item()}
    found["CLIP: chance"] = shown.double().mean().item()
    for name, total in {"CLIP": seen, "CLAP": heard, "both": seen + heard}.items():
        right = total.argmax(-1) == labels
        found[f"{name}: event"] = right[events].double().mean().item()
        found[f"{name}: held-out event"] = right[hidden].double().mean().item()
        among = new[total[hidden][:, new].argmax(-1)] == labels[hidden]
        found[f"{name}: among held-out"] = among.double().mean().item()
    counts = {"events": int(events.sum()), "held-out events": int(hidden.sum())}
    return found | {"chance": 1 / len(names), "chance among held-out": 1 / len(new)} | counts


def logits(model: DualEncoder, x: Tensor, texts: Tensor) -> Tensor:
    """Returns the log-probabilities of texts for frames or sounds."""
    features = torch.nn.functional.normalize(model.tower(x), dim=-1)
    return (model.scale * features @ torch.nn.functional.normalize(texts, dim=-1).mT).log_softmax(-1)
