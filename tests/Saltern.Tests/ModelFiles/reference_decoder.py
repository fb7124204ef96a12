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
heads = config.get("num_attention_heads") or config.get("num_heads") or config["n_head"]
groups = config.get("num_key_value_heads") or heads
width = config.get("hidden_size") or config["n_embd"]
layers = config.get("num_hidden_layers") or config.get("num_layers") or config["n_layer"]
size = config.get("head_dim") or width // heads
epsilon = config.get("rms_norm_eps") or config.get("layer_norm_eps") or config.get("layer_norm_epsilon") or 1e-5  # OPT's is PyTorch's own
gemma = family.startswith("gemma")
rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
theta = rope.get("rope_theta") or config.get("rope_theta") or config.get("rotary_emb_base")
turned_size = int(size * (rope.get("partial_rotary_factor") or config.get("partial_rotary_factor") or config.get("rotary_pct") or 1))
scale = size ** -0.5
if family == "granite":
    scale = config["attention_multiplier"]
if family in ("gemma2", "gemma3_text"):
    scale = config["query_pre_attn_scalar"] ** -0.5
if family == "gpt_neo":
    scale = 1.0
cap = config.get("attn_logit_softcapping")
prefix = "transformer." if "transformer.wte.weight" in weights else ""  # GPT-2's, absent in its first files


def window_of(layer):
    """Keys that a query of a layer sees; None for all before it."""
    if family == "mistral":
        return config["sliding_window"]
    if family == "gpt_neo":
        kinds = [kind for names, times in config["attention_types"] for _ in range(times) for kind in names]
        return config["window_size"] if kinds[layer] == "local" else None
    if "layer_types" in config and (gemma or config.get("use_sliding_window")):
        return config["sliding_window"] if config["layer_types"][layer] == "sliding_attention" else None
    if family == "gemma2":
        return config["sliding_window"] if (layer + 1) % 2 else None
    if config.get("use_sliding_window"):
        return config["sliding_window"]
    return None


def is_turned(layer):
    return family != "smollm3" or config["no_rope_layers"][layer] == 1


def yarn(pair):
    """Between a frequency as it is and the same divided by factor, by where the pair stands among those that turn often and seldom."""
    original = rope.get("original_max_position_embeddings") or config["max_position_embeddings"]

    def dimension(rotations):
        return turned_size * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low, high = dimension(rope.get("beta_fast") or 32), dimension(rope.get("beta_slow") or 1)
    if rope.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, turned_size - 1)
    if low == high:
        high += 0.001
    ramp = min(max((pair - low) / (high - low), 0), 1)
    extrapolated = 1 / theta ** (2.0 * pair / turned_size)
    return extrapolated / rope["factor"] * ramp + extrapolated * (1 - ramp)


def frequency(pair):
    """Radians a token; with the scaling that the config asks for."""
    kind = rope.get("rope_type") or rope.get("type")
    plain = theta ** (-2.0 * pair / turned_size)
    if kind == "linear":
        return plain / rope["factor"]
    if kind == "dynamic":
        factor, longest = rope["factor"], config["max_position_embeddings"]
        length = max(tokens.shape[1], longest)
        base = theta * (factor * length / longest - (factor - 1)) ** (turned_size / (turned_size - 2))
        return base ** (-2.0 * pair / turned_size)
    if kind == "yarn":
        return yarn(pair)
    if kind != "llama3":
        return plain
    low, high, original = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    wavelength = 2 * math.pi / plain
    if wavelength < original / high:
        return plain
    if wavelength > original / low:
        return plain / rope["factor"]
    smooth = (original / wavelength - low) / (high - low)
    return (1 - smooth) * plain / rope["factor"] + smooth * plain


def magnitude():
    """Factor of cosines and sines."""
    if rope.get("rope_type") != "yarn":
        return 1.0
    if rope.get("attention_factor"):
        return rope["attention_factor"]

    def mscale(factor):
        return 0.1 * factor * math.log(rope["factor"]) + 1

    if rope.get("mscale") and rope.get("mscale_all_dim"):
        return mscale(rope["mscale"]) / mscale(rope["mscale_all_dim"])
    return mscale(1)


def layer_norm(x, at):
    centred = x - x.mean(dim=-1, keepdim=True)
    return weights[at + ".weight"] * centred / torch.sqrt((centred ** 2).mean(dim=-1, keepdim=True) + epsilon) + weights[at + ".bias"]


def gelu(x, name):
    if name == "gelu":
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2
    if name == "relu":
        return torch.where(x > 0, x, torch.zeros_like(x))
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def norm(x, weight):
    return (1 + weight if gemma else weight) * x / torch.sqrt((x ** 2).mean(dim=-1, keepdim=True) + epsilon)


def rotate(x, local=False):
    """[T, A]: pair i is the complex number x[i] + j x[i + R/2], turned by t times its frequency; elements from R on stay."""
    half = turned_size // 2
    frequencies = [config["rope_local_base_freq"] ** (-2.0 * i / turned_size) if local else frequency(i) for i in range(half)]
    angles = torch.outer(torch.arange(x.shape[0], dtype=torch.float64), torch.tensor(frequencies, dtype=torch.float64))
    turned = torch.complex(x[:, :half], x[:, half : 2 * half]) * torch.polar(torch.full_like(angles, 1.0 if local else magnitude()), angles)
    return torch.cat([turned.real, turned.imag, x[:, 2 * half :]], dim=1)


def linear(x, name):
    y = x @ weights[name + ".weight"].T
    return y + weights[name + ".bias"] if name + ".bias" in weights else y


def attend(query, key, value, window=None):
    """One head, [T, A] each."""
    length = query.shape[0]
    i, j = torch.arange(length)[:, None], torch.arange(length)[None, :]
    hidden = j > i if window is None else (j > i) | (i - j >= window)
    scores = query @ key.T * scale
    if cap:
        scores = cap * torch.tanh(scores / cap)
    return torch.softmax(scores.masked_fill(hidden, -math.inf), dim=1) @ value


def attention(x, at, layer=0):
    """[T, D], one head after the other."""
    q, k, v = (linear(x, at + name) for name in ("q_proj", "k_proj", "v_proj"))
    if family == "olmo2":
        q, k = norm(q, weights[at + "q_norm.weight"]), norm(k, weights[at + "k_norm.weight"])
    q, k, v = (part.split(size, dim=1) for part in (q, k, v))
    window = window_of(layer)
    local = family == "gemma3_text" and window is not None
    mixed = []
    for head in range(heads):
        query, key, value = q[head], k[head * groups // heads], v[head * groups // heads]
        if at + "q_norm.weight" in weights and family != "olmo2":
            query, key = norm(query, weights[at + "q_norm.weight"]), norm(key, weights[at + "k_norm.weight"])
        if is_turned(layer):
            query, key = rotate(query, local), rotate(key, local)
        mixed.append(attend(query, key, value, window))
    return linear(torch.cat(mixed, dim=1), at + ("dense" if family == "phi" else "o_proj"))


def feed_forward(x, at):
    gate = linear(x, at + "gate_proj")
    activated = gelu(gate, "tanh") if gemma else gate * torch.sigmoid(gate)
    return linear(activated * linear(x, at + "up_proj"), at + "down_proj")


def head_of(x):
    tied = config.get("tie_word_embeddings", gemma or config.get("share_embedding", False))
    logits = x @ weights["model.embed_tokens.weight" if tied else "lm_head.weight"].T / config.get("logits_scaling", 1)
    final = config.get("final_logit_softcapping")
    return final * torch.tanh(logits / final) if final else logits


def decode_llama(sequence):
    x = weights["model.embed_tokens.weight"][sequence] * config.get("embedding_multiplier", 1)
    factor = config.get("residual_multiplier", 1)
    if gemma:
        x = x * math.sqrt(width)
    for layer in range(layers):
        at = f"model.layers.{layer}."
        x = x + factor * attention(norm(x, weights[at + "input_layernorm.weight"]), at + "self_attn.", layer)
        x = x + factor * feed_forward(norm(x, weights[at + "post_attention_layernorm.weight"]), at + "mlp.")
    return head_of(norm(x, weights["model.norm.weight"]))


def decode_olmo2(sequence):
    x = weights["model.embed_tokens.weight"][sequence]
    for layer in range(layers):
        at = f"model.layers.{layer}."
        x = x + norm(attention(x, at + "self_attn.", layer), weights[at + "post_attention_layernorm.weight"])
        x = x + norm(feed_forward(x, at + "mlp."), weights[at + "post_feedforward_layernorm.weight"])
    return head_of(norm(x, weights["model.norm.weight"]))


def decode_later_gemma(sequence):
    x = weights["model.embed_tokens.weight"][sequence] * math.sqrt(width)
    for layer in range(layers):
        at = f"model.layers.{layer}."
        mixed = attention(norm(x, weights[at + "input_layernorm.weight"]), at + "self_attn.", layer)
        x = x + norm(mixed, weights[at + "post_attention_layernorm.weight"])
        inner = feed_forward(norm(x, weights[at + "pre_feedforward_layernorm.weight"]), at + "mlp.")
        x = x + norm(inner, weights[at + "post_feedforward_layernorm.weight"])
    return head_of(norm(x, weights["model.norm.weight"]))


def decode_phi(sequence):
    x = weights["model.embed_tokens.weight"][sequence]
    for layer in range(layers):
        at = f"model.layers.{layer}."
        read = layer_norm(x, at + "input_layernorm")
        x = attention(read, at + "self_attn.") + linear(gelu(linear(read, at + "mlp.fc1"), config["hidden_act"]), at + "mlp.fc2") + x
    return linear(layer_norm(x, "model.final_layernorm"), "lm_head")


def decode_opt(sequence):
    """Position t has row t + 2."""
    x = weights["model.decoder.embed_tokens.weight"][sequence] + weights["model.decoder.embed_positions.weight"][2 : len(sequence) + 2]
    for layer in range(layers):
        at = f"model.decoder.layers.{layer}."
        read = layer_norm(x, at + "self_attn_layer_norm")
        q, k, v = (linear(read, f"{at}self_attn.{name}_proj").split(size, dim=1) for name in "qkv")
        x = x + linear(torch.cat([attend(q[head], k[head], v[head]) for head in range(heads)], dim=1), at + "self_attn.out_proj")
        x = x + linear(gelu(linear(layer_norm(x, at + "final_layer_norm"), at + "fc1"), config["activation_function"]), at + "fc2")
    return layer_norm(x, "model.decoder.final_layer_norm") @ weights["model.decoder.embed_tokens.weight"].T


def decode_gpt_neo(sequence):
    x = weights["transformer.wte.weight"][sequence] + weights["transformer.wpe.weight"][: len(sequence)]
    for layer in range(layers):
        at = f"transformer.h.{layer}."
        read = layer_norm(x, at + "ln_1")
        q, k, v = (linear(read, f"{at}attn.attention.{name}_proj").split(size, dim=1) for name in "qkv")
        mixed = [attend(q[head], k[head], v[head], window_of(layer)) for head in range(heads)]
        x = x + linear(torch.cat(mixed, dim=1), at + "attn.attention.out_proj")
        x = x + linear(gelu(linear(layer_norm(x, at + "ln_2"), at + "mlp.c_fc"), config["activation_function"]), at + "mlp.c_proj")
    return layer_norm(x, "transformer.ln_f") @ weights["transformer.wte.weight"].T


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


decode = {
    "gpt_neox": decode_gpt_neox,
    "gpt2": decode_gpt2,
    "olmo2": decode_olmo2,
    "gemma2": decode_later_gemma,
    "gemma3_text": decode_later_gemma,
    "phi": decode_phi,
    "opt": decode_opt,
    "gpt_neo": decode_gpt_neo,
}.get(family, decode_llama)
logits = torch.cat([decode(sequence) for sequence in tokens])
n, v = torch.arange(logits.shape[0], dtype=torch.float64)[:, None], torch.arange(logits.shape[1], dtype=torch.float64)[None, :]
(logits * torch.cos(1 + 0.7 * n + 0.3 * v)).sum().backward()
with open(out_path, "wb") as out:
    for tensor in [logits.detach()] + [weights[name].grad for name in sorted(weights) if weights[name].grad is not None]:
        out.write(tensor.contiguous().numpy().tobytes())
