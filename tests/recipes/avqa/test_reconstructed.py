"""Blocks of the reconstructed systems equal the published originals: AVSD's attention, Pano-AVQA's transformer."""

import golden_questions as golden
import torch
from golden_numbers import scalar
from torch import nn

from crossmodal.adapters import Bottleneck, GuidedAdapter, Modulation
from crossmodal.alignment.identity import IdentityAlignment
from crossmodal.attention import LatentTokens
from crossmodal.checkpoints.released_modules import from_released_adapter
from crossmodal.data.vocabulary import Vocabulary
from crossmodal.heads.factor_attention import FactorAttention
from crossmodal.heads.tri_modal import (
    AveragedProjections,
    ThreeStreams,
    TriModalTransformer,
    WideReadout,
    WordEmbedding,
)
from crossmodal.recipes.avqa.avsd import avsd

SIDES = {"X": "one", "Y": "other"}
POOLS = ("pooler", "a_pooler", "v_pooler")


def under(prefix, found):
    return {prefix + name: tensor for name, tensor in found.items()}


def avsd_state(weights, count):
    """AVSD's names as ours: 1×1 convolutions as matrices, similarities by their pair."""
    names, pairs = {}, [(one, other) for one in range(count) for other in range(one + 1, count)]
    for at in range(count):
        names |= {f"un_models.{at}.embed": f"alone.{at}.0", f"un_models.{at}.feature_reduce": f"alone.{at}.3"}
        names |= {
            f"pp_models.{at}.embed_{theirs}": f"inside.{at}.{ours}"
            for theirs, ours in zip("XY", ("one", "other"), strict=True)
        }
        names |= {f"reduce_potentials.{at}": f"mix.{at}"}
    for at, pair in enumerate(pairs):
        names |= {
            f"pp_models.{pair}.embed_{theirs}": f"between.{at}.{ours}"
            for theirs, ours in zip("XY", ("one", "other"), strict=True)
        }
    found = {}
    for name, tensor in weights.items():
        module, _, leaf = name.rpartition(".")
        found[f"{names[module]}.{leaf}"] = tensor.flatten(1) if tensor.ndim == 3 else tensor
    return found


def test_attention_of_avsd():
    attention = FactorAttention([12, 12, 8]).double().eval()
    weights = golden.state("avsd_attention")
    attention.load_state_dict(avsd_state(weights, 3))
    given = golden.numbers("avsd_attention", "in")
    sets = [given[name].double().requires_grad_() for name in ("question", "frame", "audio")]
    priors = [given["question_prior"].double(), *(torch.zeros(one.shape[:2]).double() for one in sets[1:])]
    vectors, shares = attention(sets, priors)
    expected = golden.numbers("avsd_attention", "out_eval")
    for name, vector in zip(("question", "frame", "audio"), vectors, strict=True):
        torch.testing.assert_close(vector, expected[name].double(), rtol=2e-5, atol=2e-6)
    assert all((share.sum(1) - 1).abs().max() < 1e-9 for share in shares)
    parameters = dict(attention.named_parameters())
    gradients = torch.autograd.grad(scalar(*vectors), [*sets, *parameters.values()])
    for name, gradient in zip(("question", "frame", "audio"), gradients, strict=False):
        torch.testing.assert_close(
            gradient, golden.numbers("avsd_attention", "grad_in")[name].double(), rtol=1e-5, atol=1e-6
        )
    theirs = avsd_state(golden.numbers("avsd_attention", "grad_param"), 3)
    for name, gradient in zip(parameters, gradients[3:], strict=True):
        torch.testing.assert_close(gradient, theirs[name].double(), rtol=1e-5, atol=1e-6)


def layer_state(weights, prefix, attention, inter, output):
    found = under("attention.", golden.fused(weights, f"{prefix}{attention}."))
    for leaf in ("weight", "bias"):
        found |= {
            f"feedforward.0.{leaf}": weights[f"{prefix}{inter}.dense.{leaf}"],
            f"feedforward.2.{leaf}": weights[f"{prefix}{output}.dense.{leaf}"],
            f"norm.{leaf}": weights[f"{prefix}{output}.LayerNorm.{leaf}"],
        }
    return found


def lavit_state(weights):
    state = {}
    for at, (name, depth) in enumerate((("layer", 2), ("a_layers", 1), ("v_layers", 1))):
        for layer in range(depth):
            prefix = f"bert.encoder.{name}.{layer}."
            state |= under(f"alone.{at}.{layer}.", layer_state(weights, prefix, "attention", "intermediate", "output"))
    for layer in range(2):
        prefix = f"bert.encoder.x_layers.{layer}."
        for at, (cross, own) in enumerate((("la", "l"), ("av", "a"), ("vl", "v"))):
            state |= under(f"ring.{layer}.across.{at}.", golden.fused(weights, f"{prefix}{cross}_attention."))
            state |= under(
                f"ring.{layer}.inside.{at}.",
                layer_state(weights, prefix, f"{own}_self_att", f"{own}_inter", f"{own}_output"),
            )
    for at, pool in enumerate(POOLS):
        state |= {f"pools.{at}.{leaf}": weights[f"bert.{pool}.dense.{leaf}"] for leaf in ("weight", "bias")}
    return state


def test_transformer_of_pano_avqa():
    weights = {name: tensor.double() for name, tensor in golden.state("pano_avqa").items()}
    model = TriModalTransformer(24, heads=3, hidden=40, layers=(2, 1, 1), across=2).double().eval()
    model.load_state_dict(lavit_state(weights))
    readout, words = WideReadout(72, 11).double(), WordEmbedding(50, 24, places=16).double().eval()
    readout.load_state_dict({name: weights[f"answer_head.logit_fc.{name}"] for name in readout.state_dict()})
    kinds = weights["bert.embeddings.token_type_embeddings.weight"][0]
    words.load_state_dict(
        {
            "words.weight": weights["bert.embeddings.word_embeddings.weight"],
            "places.weight": weights["bert.embeddings.position_embeddings.weight"] + kinds,
            "norm.weight": weights["bert.embeddings.LayerNorm.weight"],
            "norm.bias": weights["bert.embeddings.LayerNorm.bias"],
        }
    )
    frames, sounds = AveragedProjections([20, 6], 24).double(), AveragedProjections([18, 18, 3], 24).double()
    load_parts(frames, weights, "bert.encoder.v_fc.", (("feature_fc", "feature_ln"), ("coord_fc", "coord_in")))
    sound_parts = (("left_fc", "left_ln"), ("righ_fc", "righ_ln"), ("cord_fc", "cord_ln"))
    load_parts(sounds, weights, "bert.encoder.a_fc.", sound_parts)
    given = {
        name: golden.given("pano_avqa", name) for name in ("visual", "visual_coord", "audio", "audio_coord", "ids")
    }
    audio = given["audio"].double()
    streams = model(
        ThreeStreams(
            words(given["ids"].long()),
            sounds(audio[:, 0], audio[:, 1], given["audio_coord"].double()),
            frames(given["visual"].double(), given["visual_coord"].double()),
        )
    )
    pooled = model.pooled(streams)
    expected = golden.numbers("pano_avqa", "out_eval")
    found = dict(zip(("language", "audio", "vision"), streams, strict=True))
    found |= dict(zip(("language_pooled", "audio_pooled", "vision_pooled"), pooled, strict=True))
    found["qa"] = readout(torch.cat(pooled, dim=1))
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name].double(), rtol=2e-5, atol=2e-5)
    loss = torch.nn.functional.cross_entropy(found["qa"], torch.tensor([4, 0]))
    rows = golden.numbers("pano_avqa", "grad_param")["digests"]
    theirs = dict(zip(golden.facts("pano_avqa")["grad_param_rows"], rows, strict=True))
    names = {"ring.0.across.1.norm.weight": "bert.encoder.x_layers.0.av_attention.output.LayerNorm.weight"}
    names |= {"alone.0.0.feedforward.0.weight": "bert.encoder.layer.0.intermediate.dense.weight"}
    names |= {
        f"pools.{at}.weight": f"bert.{pool}.dense.weight" for at, pool in enumerate(("pooler", "a_pooler", "v_pooler"))
    }
    gradients = torch.autograd.grad(loss, [model.get_parameter(name) for name in names])
    ours = dict(zip(names.values(), gradients, strict=True))
    golden.compare_gradients(ours, {name: theirs[name] for name in ours}, 1e-6)


def load_parts(block, weights, prefix, names):
    state = {}
    for at, (linear, norm) in enumerate(names):
        for leaf in ("weight", "bias"):
            state |= {f"parts.{at}.0.{leaf}": weights[f"{prefix}{linear}.{leaf}"]}
            state |= {f"parts.{at}.1.{leaf}": weights[f"{prefix}{norm}.{leaf}"]}
    block.load_state_dict(state)


def test_adapter_of_lavish():
    """The adapter of LAVisH's code for MUSIC-AVQA, on streams of one width."""
    bottleneck = Bottleneck(24, reduction=4, groups=2, norm=nn.Identity)
    latents = LatentTokens(24, 5, init=nn.init.zeros_)
    adapter = GuidedAdapter(IdentityAlignment(24), latents, Modulation({}), bottleneck).double()
    weights = golden.state("lavish_adapter_avqa")
    adapter.load_state_dict(from_released_adapter(weights))
    given = golden.numbers("lavish_adapter_avqa", "in")
    stream, guide = (given[name].double().requires_grad_() for name in ("stream", "guide"))
    residual, maps = adapter(stream, guide)
    expected = golden.numbers("lavish_adapter_avqa", "out_eval")["output"]
    torch.testing.assert_close(residual, expected.double(), rtol=2e-5, atol=2e-5)
    assert not maps
    gradients = torch.autograd.grad(scalar(residual), [stream, guide])
    for name, gradient in zip(("stream", "guide"), gradients, strict=True):
        theirs = golden.numbers("lavish_adapter_avqa", "grad_in")[name].double()
        torch.testing.assert_close(gradient, theirs, rtol=1e-4, atol=1e-5)


def test_encoder_of_avsd():
    """The published encoder: question, frames and sound attended to, and the LSTM behind them."""
    weights = {name: tensor.double() for name, tensor in golden.state("avsd_encoder").items()}
    said = golden.facts("avsd_encoder")
    system = avsd("music_avqa", "music_avqa", classes=Vocabulary(("yes", "no"), map(str, range(30)))).double().eval()
    attention = {name.removeprefix("atten."): tensor for name, tensor in weights.items() if name.startswith("atten.")}
    system.attention.load_state_dict(avsd_state(attention, 6))
    lstm = {"input_encoder.lstm.": system.question, "emb_temporal_sp.": system.history}
    for prefix, block in lstm.items():
        block.load_state_dict({name: weights[prefix + name] for name in block.state_dict()})
    system.embedding.load_state_dict({"weight": weights["input_encoder.embed.weight"]})
    for name, block in {"emb_s": system.frames, "emb_a": system.sounds}.items():
        block.load_state_dict({"weight": weights[f"{name}.weight"].flatten(1), "bias": weights[f"{name}.bias"]})
    words = torch.zeros(2, max(map(len, said["words"])), dtype=torch.int64)
    for row, ids in zip(words, said["words"], strict=True):
        row[: len(ids)] = torch.tensor(ids)
    frames, audio = (golden.given("avsd_encoder", name).double() for name in ("frames", "audio"))
    seen = []
    system.history.register_forward_hook(lambda module, given, out: seen.append((given[0], out[1])))
    system.answer.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    system.score(frames.transpose(0, 1), None, audio.transpose(0, 1), words)
    expected = {name: tensor.double() for name, tensor in golden.numbers("avsd_encoder", "out_eval").items()}
    attended = torch.stack([expected[name] for name in ("audio", "frame0", "frame1", "frame2", "frame3")], dim=1)
    torch.testing.assert_close(seen[0][0], attended, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(seen[0][1][0], expected["hidden"], rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(seen[1][:, :256], expected["question"], rtol=2e-5, atol=2e-5)
