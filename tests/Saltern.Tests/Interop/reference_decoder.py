"""Logits and gradients of a Hugging Face folder in float64, written from the architectures' definitions; shares no code with Saltern.

reference_decoder.py FOLDER TOKENS OUT
TOKENS is a JSON list of sequences of equal length. OUT gets raw float64: the logits [N, V], then the gradient of
sum(logits * cos(1 + 0.7 n + 0.3 v)) with respect to every tensor of the files, in the order of their names.
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

heads, groups, epsilon = config["num_attention_heads"], config["num_key_value_heads"], config["rms_norm_eps"]
size = config.get("head_dim") or config["hidden_size"] // heads
rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
theta = rope.get("rope_theta") or config.get("rope_theta")
window = config.get("sliding_window") if config["model_type"] == "mistral" or config.get("use_sliding_window") else None


def frequency(pair):
    """Radians a token; with Llama 3's scaling where the config asks for it."""
    plain = theta ** (-2.0 * pair / size)
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


def norm(x, weight):
    return weight * x / torch.sqrt((x ** 2).mean(dim=-1, keepdim=True) + epsilon)


def rotate(x):
    """[T, A]: pair i is the complex number x[i] + j x[i + A/2], turned by t times its frequency."""
    angles = torch.outer(torch.arange(x.shape[0], dtype=torch.float64), torch.tensor([frequency(i) for i in range(size // 2)], dtype=torch.float64))
    turned = torch.complex(x[:, : size // 2], x[:, size // 2 :]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], dim=1)


def linear(x, name):
    y = x @ weights[name + ".weight"].T
    return y + weights[name + ".bias"] if name + ".bias" in weights else y


def attention(x, at):
    """[T, D], one head after the other."""
    length = x.shape[0]
    i, j = torch.arange(length)[:, None], torch.arange(length)[None, :]
    hidden = j > i if window is None else (j > i) | (i - j >= window)
    q, k, v = (linear(x, at + name).split(size, dim=1) for name in ("q_proj", "k_proj", "v_proj"))
    mixed = []
    for head in range(heads):
        query, key, value = q[head], k[head * groups // heads], v[head * groups // heads]
        if at + "q_norm.weight" in weights:
            query, key = norm(query, weights[at + "q_norm.weight"]), norm(key, weights[at + "k_norm.weight"])
        scores = rotate(query) @ rotate(key).T / math.sqrt(size)
        mixed.append(torch.softmax(scores.masked_fill(hidden, -math.inf), dim=1) @ value)
    return linear(torch.cat(mixed, dim=1), at + "o_proj")


def feed_forward(x, at):
    gate = linear(x, at + "gate_proj")
    return linear(gate * torch.sigmoid(gate) * linear(x, at + "up_proj"), at + "down_proj")


def decode(sequence):
    x = weights["model.embed_tokens.weight"][sequence]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        x = x + attention(norm(x, weights[at + "input_layernorm.weight"]), at + "self_attn.")
        x = x + feed_forward(norm(x, weights[at + "post_attention_layernorm.weight"]), at + "mlp.")
    head = weights["model.embed_tokens.weight" if config.get("tie_word_embeddings") else "lm_head.weight"]
    return norm(x, weights["model.norm.weight"]) @ head.T


logits = torch.cat([decode(sequence) for sequence in tokens])
n, v = torch.arange(logits.shape[0], dtype=torch.float64)[:, None], torch.arange(logits.shape[1], dtype=torch.float64)[None, :]
(logits * torch.cos(1 + 0.7 * n + 0.3 * v)).sum().backward()
with open(out_path, "wb") as out:
    for tensor in [logits.detach()] + [weights[name].grad for name in sorted(weights)]:
        out.write(tensor.contiguous().numpy().tobytes())
