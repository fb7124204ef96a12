"""Reads an exported model with NumPy alone and compares it, bit for bit, with the folder that it was made from.

usage: check_export.py SOURCE EXPORTED     (a Hugging Face folder or a GGUF file)

Shares no code with Saltern: names, the order of rows, rounding and the formats are written down here a second time. Prints what it found as JSON;
the first thing that is wrong ends it with a message.
"""
import json, math, os, struct, sys
import numpy as np


def require(holds, message):
    if not holds:
        sys.exit(message)


def safetensors(path):
    """{name: (type, array of raw elements)}, after checking that the header describes exactly the bytes behind it."""
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors, at = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"][0]):
        begin, end = entry["data_offsets"]
        require(begin == at, f"{path}: {name} starts at {begin}, not {at}")
        at = end
        kind = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[entry["dtype"]]
        tensors[name] = (entry["dtype"], np.frombuffer(data[8 + length + begin:8 + length + end], dtype=kind).reshape(entry["shape"]))
    require(8 + length + at == len(data), f"{path}: {len(data) - 8 - length - at} bytes behind the last tensor")
    return tensors


def folder(path):
    index = os.path.join(path, "model.safetensors.index.json")
    if not os.path.exists(index):
        return safetensors(os.path.join(path, "model.safetensors"))
    weight_map, tensors = json.load(open(index))["weight_map"], {}
    for file in sorted(set(weight_map.values())):
        part = safetensors(os.path.join(path, file))
        require(all(weight_map.get(name) == file for name in part), f"{file} holds what the index does not put there")
        tensors.update(part)
    require(set(tensors) == set(weight_map), "the index names other tensors than the files hold")
    return tensors


def widen(kind, values):
    return (values.astype(np.uint32) << 16).view(np.float32) if kind == "BF16" else values.astype(np.float32)


def to_bfloat16(values):
    """The nearer of the two neighbours, of equally near ones the even one; as float64 arithmetic, not as bits."""
    lower = (values.view(np.uint32) >> 16).astype(np.uint16)
    upper = (lower + 1).astype(np.uint16)
    value = values.astype(np.float64)
    to_lower = np.abs(value - widen("BF16", lower)); to_upper = np.abs(value - widen("BF16", upper))
    return np.where((to_lower < to_upper) | ((to_lower == to_upper) & (lower % 2 == 0)), lower, upper)


def to_q8_0(values):
    """[blocks, 34] bytes: float16 scale, then 32 int8. Ties of round go away from zero."""
    blocks = values.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)).astype(np.float32)
    with np.errstate(divide="ignore"):
        inverse = np.where(scale == 0, np.float32(0), np.float32(1) / scale).astype(np.float32)
    scaled = blocks * inverse
    quants = (np.sign(scaled) * np.floor(np.abs(scaled).astype(np.float64) + 0.5)).astype(np.int8)
    return np.concatenate([scale.astype(np.float16).view(np.uint8), quants.view(np.uint8)], axis=1)


def encode(kind, values):
    values = np.ascontiguousarray(values, dtype=np.float32)
    return {"F32": lambda: values, "F16": lambda: values.astype(np.float16), "BF16": lambda: to_bfloat16(values), "Q8_0": lambda: to_q8_0(values)}[kind]().tobytes()


class Gguf:
    SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
    TYPES = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 8: ("Q8_0", 32, 34), 30: ("BF16", 1, 2)}

    def __init__(self, path):
        self.data, self.at = open(path, "rb").read(), 0
        require(self.data[:4] == b"GGUF", "no GGUF file")
        self.at = 4
        version, tensors, pairs = self.number("<I"), self.number("<Q"), self.number("<Q")
        require(version == 3, f"version {version}")
        self.pairs = {}
        for _ in range(pairs):
            key = self.text()
            require(key not in self.pairs, f"{key} is there twice")
            self.pairs[key] = self.value(self.number("<I"))
        infos = []
        for _ in range(tensors):
            name = self.text()
            shape = [self.number("<Q") for _ in range(self.number("<I"))][::-1]
            infos.append((name, shape, self.TYPES[self.number("<I")], self.number("<Q")))
        alignment = self.pairs.get("general.alignment", 32)
        start = -(-self.at // alignment) * alignment
        require(not any(self.data[self.at:start]), "the padding before the data is not zero")
        self.tensors, end = {}, 0
        for name, shape, (kind, block, size), offset in infos:
            require(offset == -(-end // alignment) * alignment, f"{name} begins at {offset} after an end at {end}")
            require(shape[-1] % block == 0, f"{name} has rows of {shape[-1]}")
            length = math.prod(shape) // block * size
            require(name not in self.tensors, f"{name} is there twice")
            self.tensors[name] = (kind, shape, self.data[start + offset:start + offset + length])
            end = offset + length
        require(len(self.data) == start + -(-end // alignment) * alignment, "the file does not end behind its last tensor")

    def number(self, kind):
        (value,) = struct.unpack_from(kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def text(self):
        length = self.number("<Q")
        self.at += length
        return self.data[self.at - length:self.at].decode("utf-8")

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            inner, count = self.number("<I"), self.number("<Q")
            return [self.value(inner) for _ in range(count)]
        return self.number(self.SCALARS[kind])


LLAMA_LIKE = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}

# Norms after the branches.
AFTER = {**LLAMA_LIKE, "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}

PHI = {
    **LLAMA_LIKE, "lm_head.bias": "output.bias", "model.final_layernorm.weight": "output_norm.weight", "model.final_layernorm.bias": "output_norm.bias",
    "self_attn.dense": "attn_output", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
}

GPT2 = {
    "wte.weight": "token_embd.weight", "wpe.weight": "position_embd.weight", "ln_f.weight": "output_norm.weight", "ln_f.bias": "output_norm.bias", "lm_head.weight": "output.weight",
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}

NEOX = {
    "gpt_neox.embed_in.weight": "token_embd.weight", "gpt_neox.final_layer_norm.weight": "output_norm.weight", "gpt_neox.final_layer_norm.bias": "output_norm.bias", "embed_out.weight": "output.weight",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "attention.query_key_value": "attn_qkv", "attention.dense": "attn_output",
    "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
}

# What older files hold beside the weights.
BUFFERS = (".attention.bias", ".attn.bias", ".masked_bias", ".inv_freq")


def gguf_name(name, names):
    if name in names:
        return names[name]
    _, layer, rest = name.removeprefix("model.").removeprefix("gpt_neox.").split(".", 2)
    part, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{names[part]}.{kind}"


def by_projection(values, heads):
    """[heads, 3, A, …] becomes [3, heads, A, …]."""
    return values.reshape(heads, 3, -1, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)


def interleave(values, heads):
    """Rows i and i + A/2 of each head become 2i and 2i + 1."""
    return values.reshape(heads, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


ARCHITECTURES = {"mistral": "llama", "gpt_neox": "gptneox", "phi": "phi2", "gemma3_text": "gemma3"}
NAMES = {"gptneox": NEOX, "phi2": PHI, "gpt2": GPT2, "olmo2": AFTER, "gemma2": AFTER, "gemma3": AFTER}
GPT2_KEYS = {"num_hidden_layers": "n_layer", "hidden_size": "n_embd", "num_attention_heads": "n_head", "max_position_embeddings": "n_positions", "layer_norm_eps": "layer_norm_epsilon"}


def single(value):
    return float(np.float32(value))


def check_gguf(source, config, path):
    file, arch = Gguf(path), ARCHITECTURES.get(config["model_type"], config["model_type"])
    names = NAMES.get(arch, LLAMA_LIKE)
    if arch == "gpt2":
        config = {**{ours: config[theirs] for ours, theirs in GPT2_KEYS.items()}, "intermediate_size": config.get("n_inner") or 4 * config["n_embd"], "tie_word_embeddings": True, **config}
        source = {name.removeprefix("transformer."): stored for name, stored in source.items()}
    heads = config["num_attention_heads"]
    groups = config.get("num_key_value_heads") or heads
    size = config.get("head_dim") or config["hidden_size"] // heads
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    scaling = rope.get("rope_type", rope.get("type"))
    theta = rope.get("rope_theta", config.get("rope_theta", config.get("rotary_emb_base", 10000.0)))
    expected = {
        "general.architecture": arch, f"{arch}.block_count": config["num_hidden_layers"], f"{arch}.embedding_length": config["hidden_size"],
        f"{arch}.feed_forward_length": config["intermediate_size"], f"{arch}.attention.head_count": heads, f"{arch}.attention.head_count_kv": groups,
        f"{arch}.attention.key_length": size, f"{arch}.attention.value_length": size, f"{arch}.vocab_size": config["vocab_size"], "tokenizer.ggml.model": "gpt2",
        f"{arch}.context_length": min(config["max_position_embeddings"], config.get("sliding_window") or 1 << 40) if config["model_type"] == "mistral" else config["max_position_embeddings"],
    }
    if arch != "gpt2":
        expected[f"{arch}.rope.dimension_count"] = int(size * config.get("rotary_pct", config.get("partial_rotary_factor", 1)))
        expected[f"{arch}.rope.freq_base"] = single(theta)
    if arch in ("gptneox", "phi2", "gpt2"):
        expected[f"{arch}.attention.layer_norm_epsilon"] = single(config["layer_norm_eps"])
    else:
        expected[f"{arch}.attention.layer_norm_rms_epsilon"] = single(config["rms_norm_eps"])
    if arch == "gptneox":
        expected["gptneox.use_parallel_residual"] = config["use_parallel_residual"]
    if arch == "granite":
        of = {"attention.scale": "attention_multiplier", "embedding_scale": "embedding_multiplier", "residual_scale": "residual_multiplier", "logit_scale": "logits_scaling"}
        expected.update({f"granite.{key}": single(config[theirs]) for key, theirs in of.items()})
    if arch in ("gemma2", "gemma3"):
        expected[f"{arch}.attention.sliding_window"] = config["sliding_window"]
    if arch == "gemma2":
        expected.update({f"gemma2.{key}": single(config[key]) for key in ("attn_logit_softcapping", "final_logit_softcapping")})
    if scaling == "linear" and arch != "llama":
        expected.update({f"{arch}.rope.scaling.type": "linear", f"{arch}.rope.scaling.factor": single(rope["factor"])})
    for key, value in expected.items():
        require(file.pairs.get(key) == value, f"{key} is {file.pairs.get(key)}, expected {value}")
    require(len(file.pairs["tokenizer.ggml.tokens"]) == config["vocab_size"] == len(set(file.pairs["tokenizer.ggml.tokens"])), "tokens are too few, too many or not distinct")

    remaining, kinds = dict(file.tensors), {}
    if scaling == "llama3":
        kind, shape, data = remaining.pop("rope_freqs.weight")
        factors = []
        for i in range(size // 2):  # apply_scaling of Llama 3.1's model code
            wavelength = 2 * math.pi * theta ** (2 * i / size)
            low, high, old = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
            smooth = (old / wavelength - low) / (high - low)
            factors.append(1.0 if wavelength < old / high else rope["factor"] if wavelength > old / low else 1 / ((1 - smooth) / rope["factor"] + smooth))
        require(kind == "F32" and np.allclose(np.frombuffer(data, "<f4"), factors, rtol=1e-6), "rope_freqs.weight is wrong")
    if scaling == "linear" and arch == "llama":
        kind, shape, data = remaining.pop("rope_freqs.weight")
        require(kind == "F32" and np.all(np.frombuffer(data, "<f4") == rope["factor"]), "rope_freqs.weight is wrong")
    weights = {name: widen(*stored) for name, stored in source.items() if not name.endswith(BUFFERS)}
    if config.get("tie_word_embeddings", arch.startswith("gemma")):
        weights.pop("lm_head.weight", None)
        if arch == "gptneox":  # which has no head that is the embedding
            weights["embed_out.weight"] = weights["gpt_neox.embed_in.weight"]
    for name, values in weights.items():
        if "query_key_value" in name:
            values = by_projection(values, heads)
        if arch == "gpt2" and values.ndim == 2 and name.startswith("h."):
            values = values.T
        if arch.startswith("gemma") and name.endswith("norm.weight"):
            values = values + np.float32(1)
        if arch in ("llama", "granite", "smollm3") and (".q_proj." in name or ".k_proj." in name):
            values = interleave(values, heads if ".q_proj." in name else groups)
        require(gguf_name(name, names) in remaining, f"{gguf_name(name, names)} is missing")
        kind, shape, data = remaining.pop(gguf_name(name, names))
        require(shape == list(values.shape), f"{name}: {shape} instead of {values.shape}")
        require(len(shape) == 2 or kind == "F32", f"{name} is a vector of {kind}")
        require(data == encode(kind, values), f"{name}: its bytes are not those of the source as {kind}")
        kinds[kind] = kinds.get(kind, 0) + 1
    require(not remaining, f"left over: {sorted(remaining)}")
    return {"architecture": arch, "types": kinds, "pre": file.pairs["tokenizer.ggml.pre"], "bos": file.pairs["tokenizer.ggml.bos_token_id"], "eos": file.pairs["tokenizer.ggml.eos_token_id"]}


def check_folder(source, config, path):
    exported, kinds = folder(path), {}
    own = json.load(open(os.path.join(path, "config.json")))
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size", "vocab_size", "max_position_embeddings", "rms_norm_eps", "layer_norm_eps",
                "n_embd", "n_layer", "n_head", "n_positions", "layer_norm_epsilon", "tie_word_embeddings"):
        require(key not in config or own[key] == config[key], f"config.json: {key} is {own.get(key)}, not {config.get(key)}")
    for name, (stored, raw) in source.items():
        if name.endswith(BUFFERS) or name == "lm_head.weight" and config.get("tie_word_embeddings", True):
            continue
        if name not in exported and "transformer." + name in exported:
            name = "transformer." + name  # which GPT-2's first files leave out
        require(name in exported, f"{name} is missing")
        kind, values = exported.pop(name)
        require(values.shape == raw.shape, f"{name}: {values.shape} instead of {raw.shape}")
        require(values.tobytes() == encode(kind, widen(stored, raw)), f"{name}: its bytes are not those of the source as {kind}")
        kinds[kind] = kinds.get(kind, 0) + 1
    require(not exported, f"left over: {sorted(exported)}")
    require(own["torch_dtype"] == {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[next(iter(kinds))], f"torch_dtype is {own['torch_dtype']}")
    return {"types": kinds}


source_path, exported_path = sys.argv[1:]
config = json.load(open(os.path.join(source_path, "config.json")))
check = check_folder if os.path.isdir(exported_path) else check_gguf
print(json.dumps(check(folder(source_path), config, exported_path)))
