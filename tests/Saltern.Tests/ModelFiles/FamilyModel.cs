using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.ModelFiles;
using Saltern.Tests.Tokenization;

namespace Saltern.Tests.ModelFiles;

/// <summary>A small random model as its family's own library would store it: names, keys, types and files are written here by hand, without Saltern's code.</summary>
internal static class FamilyModel
{
    public const int Vocabulary = 257;
    public const int Length = 12;
    private const int Width = 24;
    private const int Layers = 2;
    private const int Heads = 4;
    private const int Groups = 2;
    private const int Inner = 40;

    public static readonly string[] Names =
    [
        "llama",
        "llama-3.1",
        "mistral",
        "qwen2",
        "qwen3",
        "pythia",
        "neox-sequential",
        "gpt2",
        "gpt2-untied",
        "llama-linear",
        "llama-dynamic",
        "llama-yarn",
        "qwen3-mixed",
        "olmo2",
        "smollm3",
        "granite",
        "mobilellm",
        "gemma",
        "gemma2",
        "gemma3",
        "phi",
        "opt",
        "gpt-neo",
    ];

    /// <summary>Writes a model; returns the names of its weights in ordinal order.</summary>
    public static IReadOnlyList<string> Write(TemporaryFolder folder, string name)
    {
        (JsonObject config, string type, int files) = Describe(name);
        folder.Write("config.json", config.ToJsonString());
        folder.Write("tokenizer.json", TokenizerJsonTests.Minimal().ToJsonString());
        (string Name, int[] Shape)[] tensors =
        [
            .. config["model_type"]!.GetValue<string>() switch
            {
                "gpt_neox" => GptNeoxTensors(config),
                "gpt2" => Gpt2Tensors(config),
                "phi" => PhiTensors(),
                "opt" => OptTensors(),
                "gpt_neo" => GptNeoTensors(),
                _ => Tensors(config),
            },
        ];
        var random = new Random(name.Length);
        int perFile = (tensors.Length + files - 1) / files;
        var map = new JsonObject();
        foreach ((int number, (string Name, int[] Shape)[] part) in tensors.Chunk(perFile).Index())
        {
            string file =
                files == 1 ? ModelFolder.WeightsFile : $"model-{number + 1:00000}-of-{files:00000}.safetensors";
            folder.Write(file, SafeTensors(part, type, random));
            Array.ForEach(part, tensor => map[tensor.Name] = file);
        }

        if (files > 1)
        {
            folder.Write(
                WeightFiles.IndexFile,
                new JsonObject
                {
                    ["metadata"] = new JsonObject { ["total_size"] = 1 },
                    ["weight_map"] = map,
                }.ToJsonString()
            );
        }

        return
        [
            .. tensors.Select(tensor => tensor.Name).Where(tensor => !IsBuffer(tensor)).Order(StringComparer.Ordinal),
        ];
    }

    // Both generations of keys, all three types, one file and several, tied and untied.
    private static (JsonObject Config, string Type, int Files) Describe(string name) =>
        name switch
        {
            "llama" => (
                Config(
                    "llama",
                    """{"rope_theta":10000.0,"torch_dtype":"float32","tie_word_embeddings":false,"attention_bias":false,"mlp_bias":"""
                        + """false,"pretraining_tp":1,"rope_scaling":null}"""
                ),
                "F32",
                1
            ),
            "llama-3.1" => (
                Config(
                    "llama",
                    """{"rope_parameters":{"rope_type":"llama3","rope_theta":50.0,"factor":8.0,"low_freq_factor":"""
                        + """1.0,"high_freq_factor":4.0,"original_max_position_embeddings":16},"dtype":"bfloat16","tie_word_embeddings":"""
                        + """true,"head_dim":6}"""
                ),
                "BF16",
                3
            ),
            "mistral" => (
                Config(
                    "mistral",
                    """{"rope_theta":10000.0,"torch_dtype":"float16","sliding_window":5,"tie_word_embeddings":"""
                        + """false,"attention_dropout":0.0}"""
                ),
                "F16",
                1
            ),
            "qwen2" => (
                Config(
                    "qwen2",
                    """{"rope_theta":1000000.0,"torch_dtype":"bfloat16","use_sliding_window":false,"sliding_window":"""
                        + """7,"max_window_layers":1,"tie_word_embeddings":true}"""
                ),
                "BF16",
                2
            ),
            "qwen3" => (
                Config(
                    "qwen3",
                    """{"rope_parameters":{"rope_type":"default","rope_theta":1000000.0},"dtype":"bfloat16","use_sliding_window":"""
                        + """false,"sliding_window":null,"max_window_layers":2,"layer_types":"""
                        + """["full_attention","full_attention"],"attention_bias":false,"head_dim":10,"tie_word_embeddings":false}"""
                ),
                "BF16",
                1
            ),
            "pythia" => (
                GptNeox(
                    """{"rotary_pct":0.67,"rotary_emb_base":10000,"hidden_act":"gelu","use_parallel_residual":"""
                        + """true,"torch_dtype":"float16","tie_word_embeddings":false}"""
                ),
                "F16",
                1
            ),
            "neox-sequential" => (
                GptNeox(
                    """{"rope_parameters":{"rope_type":"default","rope_theta":500.0,"partial_rotary_factor":0.34}"""
                        + ""","hidden_act":"gelu_fast","use_parallel_residual":false,"attention_bias":false,"hidden_dropout":"""
                        + """0.0,"dtype":"bfloat16","tie_word_embeddings":true}"""
                ),
                "BF16",
                3
            ),
            "gpt2" => (
                Gpt2(
                    """{"activation_function":"gelu_new","n_ctx":64,"n_inner":null,"resid_pdrop":0.1,"embd_pdrop":0.1,"attn_pdrop":"""
                        + """0.1,"summary_type":"cls_index","task_specific_params":{"text-generation":{"do_sample":true}}}"""
                ),
                "F32",
                1
            ),
            "gpt2-untied" => (
                Gpt2(
                    """{"activation_function":"gelu_pytorch_tanh","n_inner":40,"scale_attn_weights":"""
                        + """true,"scale_attn_by_inverse_layer_idx":false,"reorder_and_upcast_attn":"""
                        + """false,"dtype":"bfloat16","tie_word_embeddings":false}"""
                ),
                "BF16",
                2
            ),
            _ => Later(name),
        };

    private static (JsonObject Config, string Type, int Files) Later(string name) =>
        name switch
        {
            "llama-linear" => (
                Config(
                    "llama",
                    """{"rope_theta":100.0,"rope_scaling":{"type":"linear","factor":2.5},"tie_word_embeddings":true}"""
                ),
                "F32",
                1
            ),
            "llama-dynamic" => (
                With(
                    Config(
                        "llama",
                        """{"rope_theta":100.0,"rope_scaling":{"rope_type":"dynamic","factor":4.0},"tie_word_embeddings":true}"""
                    ),
                    ("max_position_embeddings", 8) // fewer than the sequences have, so that it shows
                ),
                "F32",
                1
            ),
            "llama-yarn" => (
                Config(
                    "llama",
                    """{"rope_parameters":{"rope_type":"yarn","rope_theta":100.0,"factor":4.0,"beta_fast":2.0,"beta_slow":0.25,"""
                        + """ "original_max_position_embeddings":16,"mscale":1.0,"mscale_all_dim":0.5,"truncate":false},"""
                        + """ "tie_word_embeddings":true,"head_dim":12}"""
                ),
                "F32",
                1
            ),
            "qwen3-mixed" => (
                Config(
                    "qwen3",
                    """{"rope_theta":1000000.0,"use_sliding_window":true,"sliding_window":4,"max_window_layers":1,"""
                        + """ "layer_types":["full_attention","sliding_attention"],"head_dim":6,"tie_word_embeddings":true}"""
                ),
                "F32",
                1
            ),
            "olmo2" => (
                Config(
                    "olmo2",
                    """{"rope_theta":500000,"attention_bias":false,"tie_word_embeddings":false,"torch_dtype":"float32"}"""
                ),
                "F32",
                2
            ),
            "smollm3" => (
                Config(
                    "smollm3",
                    """{"rope_theta":100.0,"no_rope_layers":[1,0],"no_rope_layer_interval":2,"use_sliding_window":false,"""
                        + """ "sliding_window":null,"layer_types":["full_attention","full_attention"],"max_window_layers":28,"""
                        + """ "attention_bias":false,"mlp_bias":false,"pretraining_tp":2,"tie_word_embeddings":true}"""
                ),
                "BF16",
                1
            ),
            "granite" => (
                Config(
                    "granite",
                    """{"rope_theta":10000.0,"attention_multiplier":0.3,"embedding_multiplier":3.0,"residual_multiplier":0.22,"""
                        + """ "logits_scaling":4.0,"attention_bias":false,"mlp_bias":false,"tie_word_embeddings":true}"""
                ),
                "BF16",
                1
            ),
            "mobilellm" => (
                Config(
                    "mobilellm",
                    """{"rope_theta":10000.0,"share_embedding":true,"layer_sharing":false,"attention_bias":false,"mlp_bias":false,"""
                        + """ "head_dim":6,"attention_dropout":0.0,"rope_scaling":null}"""
                ),
                "F16",
                1
            ),
            "gemma" => (
                Config(
                    "gemma",
                    """{"rope_theta":10000.0,"hidden_act":"gelu","hidden_activation":null,"attention_bias":false,"head_dim":8}"""
                ),
                "BF16",
                1
            ),
            "gemma2" => (
                Config(
                    "gemma2",
                    """{"rope_theta":10000.0,"hidden_act":"gelu_pytorch_tanh","hidden_activation":"gelu_pytorch_tanh","""
                        + """ "attn_logit_softcapping":5.0,"final_logit_softcapping":9.0,"query_pre_attn_scalar":12,"""
                        + """ "sliding_window":5,"cache_implementation":"hybrid","attention_bias":false,"head_dim":8}"""
                ),
                "F32",
                3
            ),
            "gemma3" => (
                Config(
                    "gemma3_text",
                    """{"rope_theta":1000000.0,"rope_local_base_freq":100.0,"rope_scaling":{"rope_type":"linear","factor":8.0},"""
                        + """ "hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":5,"sliding_window":5,"""
                        + """ "layer_types":["sliding_attention","full_attention"],"_sliding_window_pattern":6,"""
                        + """ "attn_logit_softcapping":null,"final_logit_softcapping":null,"use_bidirectional_attention":false,"""
                        + """ "attention_bias":false,"head_dim":10}"""
                ),
                "BF16",
                1
            ),
            "phi" => (
                With(
                    Without(
                        Config(
                            "phi",
                            """{"rope_theta":10000.0,"partial_rotary_factor":0.34,"qk_layernorm":false,"resid_pdrop":0.1,"""
                                + """ "embd_pdrop":0.0,"attention_dropout":0.0,"tie_word_embeddings":false,"torch_dtype":"float16"}"""
                        ),
                        "rms_norm_eps"
                    ),
                    ("hidden_act", "gelu_new"),
                    ("layer_norm_eps", 1e-5)
                ),
                "F16",
                2
            ),
            "opt" => (
                Without(
                    Config(
                        "opt",
                        """{"activation_function":"relu","word_embed_proj_dim":24,"ffn_dim":40,"do_layer_norm_before":true,"""
                            + """ "_remove_final_layer_norm":false,"dropout":0.1,"attention_dropout":0.0,"layerdrop":0.0,"""
                            + """ "init_std":0.02,"prefix":"</s>","torch_dtype":"float16"}"""
                    ),
                    "rms_norm_eps",
                    "hidden_act",
                    "num_key_value_heads",
                    "intermediate_size"
                ),
                "F16",
                1
            ),
            "gpt-neo" => (
                Without(
                    Config(
                        "gpt_neo",
                        """{"activation_function":"gelu_new","num_layers":2,"num_heads":4,"attention_types":[[["global","local"],1]],"""
                            + """ "attention_layers":["global","local"],"window_size":5,"layer_norm_epsilon":1e-05,"resid_dropout":0.0,"""
                            + """ "embed_dropout":0.0,"attention_dropout":0.0,"summary_type":"cls_index","gradient_checkpointing":false}"""
                    ),
                    "rms_norm_eps",
                    "hidden_act",
                    "num_hidden_layers",
                    "num_attention_heads",
                    "num_key_value_heads",
                    "intermediate_size"
                ),
                "F32",
                1
            ),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };

    private static JsonObject With(JsonObject config, params (string Key, JsonNode Value)[] keys)
    {
        Array.ForEach(keys, pair => config[pair.Key] = pair.Value);
        return config;
    }

    private static JsonObject Without(JsonObject config, params string[] keys)
    {
        Array.ForEach(keys, key => config.Remove(key));
        return config;
    }

    private static JsonObject Config(string family, string own)
    {
        JsonObject config = JsonNode.Parse(own)!.AsObject();
        foreach (
            (string key, int value) in new[]
            {
                ("vocab_size", Vocabulary),
                ("hidden_size", Width),
                ("num_hidden_layers", Layers),
                ("num_attention_heads", Heads),
                ("num_key_value_heads", Groups),
                ("intermediate_size", Inner),
                ("max_position_embeddings", 64),
                ("bos_token_id", 256),
                ("eos_token_id", 256),
            }
        )
        {
            config[key] = value;
        }

        (
            config["model_type"],
            config["rms_norm_eps"],
            config["initializer_range"],
            config["use_cache"],
            config["transformers_version"]
        ) = (family, 1e-6, 0.02, true, "5.0.0");
        if (family != "gemma3_text")
        {
            config["hidden_act"] ??= "silu";
        }

        return config;
    }

    private static JsonObject GptNeox(string own)
    {
        JsonObject config = Config("gpt_neox", own);
        config["layer_norm_eps"] = 1e-5;
        return Without(config, "num_key_value_heads", "rms_norm_eps");
    }

    private static JsonObject Gpt2(string own)
    {
        JsonObject config = JsonNode.Parse(own)!.AsObject();
        (
            config["model_type"],
            config["vocab_size"],
            config["n_embd"],
            config["n_layer"],
            config["n_head"],
            config["n_positions"]
        ) = ("gpt2", Vocabulary, Width, Layers, Heads, 64);
        (
            config["layer_norm_epsilon"],
            config["initializer_range"],
            config["bos_token_id"],
            config["eos_token_id"],
            config["use_cache"]
        ) = (1e-5, 0.02, 256, 256, true);
        return config;
    }

    // What files of older versions hold beside the weights.
    private static bool IsBuffer(string name) =>
        name.EndsWith(".attention.bias", StringComparison.Ordinal)
        || name.EndsWith(".attn.bias", StringComparison.Ordinal)
        || name.EndsWith(".attn.attention.bias", StringComparison.Ordinal)
        || name.EndsWith("masked_bias", StringComparison.Ordinal)
        || name.EndsWith("inv_freq", StringComparison.Ordinal);

    private static IEnumerable<(string Name, int[] Shape)> GptNeoxTensors(JsonObject config)
    {
        bool buffers = config.ContainsKey("rotary_pct");
        bool attentionBias = config["attention_bias"]?.GetValue<bool>() ?? true;
        yield return ("gpt_neox.embed_in.weight", [Vocabulary, Width]);
        for (int i = 0; i < Layers; i++)
        {
            string at = $"gpt_neox.layers.{i}.";
            foreach (
                (string name, int rows, int columns, bool bias) in new[]
                {
                    ("attention.query_key_value", 3 * Width, Width, attentionBias),
                    ("attention.dense", Width, Width, attentionBias),
                    ("mlp.dense_h_to_4h", Inner, Width, true),
                    ("mlp.dense_4h_to_h", Width, Inner, true),
                }
            )
            {
                yield return ($"{at}{name}.weight", [rows, columns]);
                if (bias)
                {
                    yield return ($"{at}{name}.bias", [rows]);
                }
            }

            foreach (string norm in new[] { "input_layernorm", "post_attention_layernorm" })
            {
                yield return ($"{at}{norm}.weight", [Width]);
                yield return ($"{at}{norm}.bias", [Width]);
            }

            if (buffers)
            {
                yield return (at + "attention.bias", [1, 1, 64, 64]);
                yield return (at + "attention.masked_bias", []);
                yield return (at + "attention.rotary_emb.inv_freq", [2]);
            }
        }

        yield return ("gpt_neox.final_layer_norm.weight", [Width]);
        yield return ("gpt_neox.final_layer_norm.bias", [Width]);
        if (!config["tie_word_embeddings"]!.GetValue<bool>())
        {
            yield return ("embed_out.weight", [Vocabulary, Width]);
        }
    }

    // The first release has names without a prefix, and masks.
    private static IEnumerable<(string Name, int[] Shape)> Gpt2Tensors(JsonObject config)
    {
        bool first = config.ContainsKey("n_ctx");
        string prefix = first ? "" : "transformer.";
        int inner = config["n_inner"]?.GetValue<int>() ?? 4 * Width;
        yield return (prefix + "wte.weight", [Vocabulary, Width]);
        yield return (prefix + "wpe.weight", [64, Width]);
        for (int i = 0; i < Layers; i++)
        {
            string at = $"{prefix}h.{i}.";
            foreach (
                (string name, int inputs, int outputs) in new[]
                {
                    ("attn.c_attn", Width, 3 * Width),
                    ("attn.c_proj", Width, Width),
                    ("mlp.c_fc", Width, inner),
                    ("mlp.c_proj", inner, Width),
                }
            )
            {
                yield return ($"{at}{name}.weight", [inputs, outputs]);
                yield return ($"{at}{name}.bias", [outputs]);
            }

            foreach (string norm in new[] { "ln_1", "ln_2" })
            {
                yield return ($"{at}{norm}.weight", [Width]);
                yield return ($"{at}{norm}.bias", [Width]);
            }

            if (first)
            {
                yield return (at + "attn.bias", [1, 1, 64, 64]);
            }
        }

        yield return (prefix + "ln_f.weight", [Width]);
        yield return (prefix + "ln_f.bias", [Width]);
        if (config["tie_word_embeddings"]?.GetValue<bool>() == false)
        {
            yield return ("lm_head.weight", [Vocabulary, Width]);
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> PhiTensors()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Width]);
        for (int i = 0; i < Layers; i++)
        {
            string at = $"model.layers.{i}.";
            int keys = Groups * (Width / Heads);
            foreach ((string Name, int[] Shape) tensor in BothOf($"{at}input_layernorm", Width, null))
            {
                yield return tensor;
            }

            foreach (
                (string name, int rows, int columns) in new[]
                {
                    ("self_attn.q_proj", Width, Width),
                    ("self_attn.k_proj", keys, Width),
                    ("self_attn.v_proj", keys, Width),
                    ("self_attn.dense", Width, Width),
                    ("mlp.fc1", Inner, Width),
                    ("mlp.fc2", Width, Inner),
                }
            )
            {
                yield return ($"{at}{name}.weight", [rows, columns]);
                yield return ($"{at}{name}.bias", [rows]);
            }
        }

        foreach (
            (string Name, int[] Shape) tensor in BothOf("model.final_layernorm", Width, null)
                .Concat(BothOf("lm_head", Vocabulary, Width))
        )
        {
            yield return tensor;
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> OptTensors()
    {
        const string at = "model.decoder.";
        yield return (at + "embed_tokens.weight", [Vocabulary, Width]);
        yield return (at + "embed_positions.weight", [64 + 2, Width]);
        IEnumerable<(string, int[])> others = Enumerable
            .Range(0, Layers)
            .SelectMany(i =>
                new[] { "k_proj", "v_proj", "q_proj", "out_proj" }
                    .SelectMany(name => BothOf($"{at}layers.{i}.self_attn.{name}", Width, Width))
                    .Concat(BothOf($"{at}layers.{i}.self_attn_layer_norm", Width, null))
                    .Concat(BothOf($"{at}layers.{i}.fc1", Inner, Width))
                    .Concat(BothOf($"{at}layers.{i}.fc2", Width, Inner))
                    .Concat(BothOf($"{at}layers.{i}.final_layer_norm", Width, null))
            )
            .Concat(BothOf(at + "final_layer_norm", Width, null));
        foreach ((string, int[]) tensor in others)
        {
            yield return tensor;
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> GptNeoTensors()
    {
        yield return ("transformer.wte.weight", [Vocabulary, Width]);
        yield return ("transformer.wpe.weight", [64, Width]);
        IEnumerable<(string, int[])> others = Enumerable
            .Range(0, Layers)
            .SelectMany(i =>
                new[] { "k_proj", "v_proj", "q_proj" }
                    .Select(name => ($"transformer.h.{i}.attn.attention.{name}.weight", new[] { Width, Width }))
                    .Append(($"transformer.h.{i}.attn.attention.bias", [1, 1, 64, 64]))
                    .Append(($"transformer.h.{i}.attn.attention.masked_bias", []))
                    .Concat(BothOf($"transformer.h.{i}.attn.attention.out_proj", Width, Width))
                    .Concat(BothOf($"transformer.h.{i}.ln_1", Width, null))
                    .Concat(BothOf($"transformer.h.{i}.ln_2", Width, null))
                    .Concat(BothOf($"transformer.h.{i}.mlp.c_fc", 4 * Width, Width))
                    .Concat(BothOf($"transformer.h.{i}.mlp.c_proj", Width, 4 * Width))
            )
            .Concat(BothOf("transformer.ln_f", Width, null));
        foreach ((string, int[]) tensor in others)
        {
            yield return tensor;
        }
    }

    // Weight and bias.
    private static IEnumerable<(string Name, int[] Shape)> BothOf(string name, int rows, int? columns) =>
        [(name + ".weight", columns is int width ? [rows, width] : [rows]), (name + ".bias", [rows])];

    private static IEnumerable<(string Name, int[] Shape)> Tensors(JsonObject config)
    {
        int size = config["head_dim"]?.GetValue<int>() ?? Width / Heads;
        string family = config["model_type"]!.GetValue<string>();
        yield return ("model.embed_tokens.weight", [Vocabulary, Width]);
        for (int i = 0; i < Layers; i++)
        {
            string at = $"model.layers.{i}.";
            if (family != "olmo2")
            {
                yield return (at + "input_layernorm.weight", [Width]);
            }

            foreach (
                (string projection, int rows) in new[]
                {
                    ("q_proj", Heads * size),
                    ("k_proj", Groups * size),
                    ("v_proj", Groups * size),
                }
            )
            {
                yield return ($"{at}self_attn.{projection}.weight", [rows, Width]);
                if (family == "qwen2")
                {
                    yield return ($"{at}self_attn.{projection}.bias", [rows]);
                }
            }

            if (family is "qwen3" or "gemma3_text" or "olmo2")
            {
                bool isWhole = family == "olmo2";
                yield return (at + "self_attn.q_norm.weight", [isWhole ? Heads * size : size]);
                yield return (at + "self_attn.k_norm.weight", [isWhole ? Groups * size : size]);
            }

            if (family is "gemma2" or "gemma3_text")
            {
                yield return (at + "pre_feedforward_layernorm.weight", [Width]);
            }

            if (family is "gemma2" or "gemma3_text" or "olmo2")
            {
                yield return (at + "post_feedforward_layernorm.weight", [Width]);
            }

            yield return (at + "self_attn.o_proj.weight", [Width, Heads * size]);
            yield return (at + "post_attention_layernorm.weight", [Width]);
            yield return (at + "mlp.gate_proj.weight", [Inner, Width]);
            yield return (at + "mlp.up_proj.weight", [Inner, Width]);
            yield return (at + "mlp.down_proj.weight", [Width, Inner]);
        }

        yield return ("model.norm.weight", [Width]);
        if (config["tie_word_embeddings"]?.GetValue<bool>() == false)
        {
            yield return ("lm_head.weight", [Vocabulary, Width]);
        }
    }

    private static bool IsNorm(string name) =>
        name.EndsWith("norm.weight", StringComparison.Ordinal) || name.Contains("ln_", StringComparison.Ordinal);

    private static byte[] SafeTensors(IEnumerable<(string Name, int[] Shape)> tensors, string type, Random random)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        using var data = new MemoryStream();
        foreach ((string name, int[] shape) in tensors)
        {
            long start = data.Length;
            for (int i = 0; i < shape.Aggregate(1, (product, length) => product * length); i++)
            {
                // Large enough that attention is far from uniform and every option shows.
                float centre = IsNorm(name) ? 1 : 0;
                float value = name.EndsWith("inv_freq", StringComparison.Ordinal)
                    ? (float)Math.Pow(10_000, -0.5 * i)
                    : (float)(((random.NextDouble() * 2) - 1) * 0.6) + centre;
                data.Write(
                    type switch
                    {
                        "F32" => BitConverter.GetBytes(value),
                        "F16" => BitConverter.GetBytes((Half)value),
                        _ => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)),
                    }
                );
            }

            header[name] = new JsonObject
            {
                ["dtype"] = type,
                ["shape"] = JsonSerializer.SerializeToNode(shape),
                ["data_offsets"] = new JsonArray(start, data.Length),
            };
        }

        byte[] text = Encoding.UTF8.GetBytes(header.ToJsonString());
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        return [.. length, .. text, .. data.ToArray()];
    }
}
