"""Logits and gradients of a Hugging Face folder in float64, written from the architectures' definitions; shares no code with Saltern.

reference_decoder.py FOLDER TOKENS OUT
TOKENS is a JSON list of sequences of equal length. OUT gets raw float64: the logits [N, V], then the gradient of
sum(logits * cos(1 + 0.7 n + 0.3 v)) with respect to every weight of the files, in the order of their names; masks and tables of older files are no weights.
"""
import glob
import json
import math
import struct
import sys

import torch

folder, tokens_path, out_path = sys.argv[1:]
config = json.load(open(f"{folder}/config.json"))
tokens = torch.tensor(json.load(open(tokens_path)))
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}

weights = {}
for path in sorted(glob.glob(f"{folder}/*.safetensors")):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    for name, info in header.items():
        start, end = info["data_offsets"]
        weights[name] = torch.frombuffer(data[start:end], dtype=DTYPES[info["dtype"]]).reshape(info["shape"]).double().requires_grad_()

family = config["model_type"]
heads = config.get("num_attention_heads") or config["n_head"]
groups = config.get("num_key_value_heads") or heads
width = config.get("hidden_size") or config["n_embd"]
layers = config.get("num_hidden_layers") or config["n_layer"]
size = config.get("head_dim") or width // heads
epsilon = config.get("rms_norm_eps") or config.get("layer_norm_eps") or config["layer_norm_epsilon"]
rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
theta = rope.get("rope_theta") or config.get("rope_theta") or config.get("rotary_emb_base")
turned_size = int(size * (rope.get("partial_rotary_factor") or config.get("rotary_pct") or 1))
window = config.get("sliding_window") if family == "mistral" or config.get("use_sliding_window") else None
prefix = "transformer." if "transformer.wte.weight" in weights else ""  # GPT-2's, absent in its first files


def frequency(pair):
    """Radians a token; with Llama 3's scaling where the config asks for it."""
    plain = theta ** (-2.0 * pair / turned_size)
    if rope.get("rope_type") != "llama3":
        return plain
    low, high, original = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    wavelength = 2 * math.pi / plain
    if wavelength < original / high:
        return plain
    if wavelength > original / low:
        return plain / rope["factor"]
    smooth = (original / wavelength - low) / (high - low)
    return (1 - smooth) * plain / rope["factor"] + smooth * plain


def layer_norm(x, at):
    centred = x - x.mean(dim=-1, keepdim=True)
    return weights[at + ".weight"] * centred / torch.sqrt((centred ** 2).mean(dim=-1, keepdim=True) + epsilon) + weights[at + ".bias"]


def gelu(x, name):
    if name == "gelu":
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def norm(x, weight):
    return weight * x / torch.sqrt((x ** 2).mean(dim=-1, keepdim=True) + epsilon)


def rotate(x):
    """[T, A]: pair i is the complex number x[i] + j x[i + R/2], turned by t times its frequency; elements from R on stay."""
    half = turned_size // 2
    angles = torch.outer(torch.arange(x.shape[0], dtype=torch.float64), torch.tensor([frequency(i) for i in range(half)], dtype=torch.float64))
    turned = torch.complex(x[:, :half], x[:, half : 2 * half]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag, x[:, 2 * half :]], dim=1)


def linear(x, name):
    y = x @ weights[name + ".weight"].T
    return y + weights[name + ".bias"] if name + ".bias" in weights else y


def attend(query, key, value):
    """One head, [T, A] each."""
    length = query.shape[0]
    i, j = torch.arange(length)[:, None], torch.arange(length)[None, :]
    hidden = j > i if window is None else (j > i) | (i - j >= window)
    return torch.softmax((query @ key.T / math.sqrt(size)).masked_fill(hidden, -math.inf), dim=1) @ value


def attention(x, at):
    """[T, D], one head after the other."""
    q, k, v = (linear(x, at + name).split(size, dim=1) for name in ("q_proj", "k_proj", "v_proj"))
    mixed = []
    for head in range(heads):
        query, key, value = q[head], k[head * groups // heads], v[head * groups // heads]
        if at + "q_norm.weight" in weights:
            query, key = norm(query, weights[at + "q_norm.weight"]), norm(key, weights[at + "k_norm.weight"])
        mixed.append(attend(rotate(query), rotate(key), value))
    return linear(torch.cat(mixed, dim=1), at + "o_proj")


def feed_forward(x, at):
    gate = linear(x, at + "gate_proj")
    return linear(gate * torch.sigmoid(gate) * linear(x, at + "up_proj"), at + "down_proj")


def decode_llama(sequence):
    x = weights["model.embed_tokens.weight"][sequence]
    for layer in range(layers):
        at = f"model.layers.{layer}."
        x = x + attention(norm(x, weights[at + "input_layernorm.weight"]), at + "self_attn.")
        x = x + feed_forward(norm(x, weights[at + "post_attention_layernorm.weight"]), at + "mlp.")
    head = weights["model.embed_tokens.weight" if config.get("tie_word_embeddings") else "lm_head.weight"]
    return norm(x, weights["model.norm.weight"]) @ head.T


def decode_gpt_neox(sequence):
    """Query, key and value of a head are neighbours: row h * 3A + c * A + a."""
    x = weights["gpt_neox.embed_in.weight"][sequence]
    for layer in range(layers):
        at = f"gpt_neox.layers.{layer}."
        qkv = linear(layer_norm(x, at + "input_layernorm"), at + "attention.query_key_value")
        mixed = []
        for head in range(heads):
            query, key, value = qkv[:, head * 3 * size : (head + 1) * 3 * size].split(size, dim=1)
            mixed.append(attend(rotate(query), rotate(key), value))
        attended = linear(torch.cat(mixed, dim=1), at + "attention.dense")
        read = x if config["use_parallel_residual"] else x + attended
        inner = gelu(linear(layer_norm(read, at + "post_attention_layernorm"), at + "mlp.dense_h_to_4h"), config["hidden_act"])
        x = x + attended + linear(inner, at + "mlp.dense_4h_to_h")
    head = weights["gpt_neox.embed_in.weight" if config["tie_word_embeddings"] else "embed_out.weight"]
    return layer_norm(x, "gpt_neox.final_layer_norm") @ head.T


def conv1d(x, name):
    """Weights are [inputs, outputs]."""
    return x @ weights[name + ".weight"] + weights[name + ".bias"]


def decode_gpt2(sequence):
    x = weights[prefix + "wte.weight"][sequence] + weights[prefix + "wpe.weight"][: len(sequence)]
    for layer in range(layers):
        at = f"{prefix}h.{layer}."
        q, k, v = (part.split(size, dim=1) for part in conv1d(layer_norm(x, at + "ln_1"), at + "attn.c_attn").split(width, dim=1))
        x = x + conv1d(torch.cat([attend(q[head], k[head], v[head]) for head in range(heads)], dim=1), at + "attn.c_proj")
        x = x + conv1d(gelu(conv1d(layer_norm(x, at + "ln_2"), at + "mlp.c_fc"), config["activation_function"]), at + "mlp.c_proj")
    head = weights[prefix + "wte.weight" if config.get("tie_word_embeddings", True) else "lm_head.weight"]
    return layer_norm(x, prefix + "ln_f") @ head.T


decode = {"gpt_neox": decode_gpt_neox, "gpt2": decode_gpt2}.get(family, decode_llama)
logits = torch.cat([decode(sequence) for sequence in tokens])
n, v = torch.arange(logits.shape[0], dtype=torch.float64)[:, None], torch.arange(logits.shape[1], dtype=torch.float64)[None, :]
(logits * torch.cos(1 + 0.7 * n + 0.3 * v)).sum().backward()
with open(out_path, "wb") as out:
    for tensor in [logits.detach()] + [weights[name].grad for name in sorted(weights) if weights[name].grad is not None]:
        out.write(tensor.contiguous().numpy().tobytes())
