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
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };

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
            config["hidden_act"],
            config["rms_norm_eps"],
            config["initializer_range"],
            config["use_cache"],
            config["transformers_version"]
        ) = (family, "silu", 1e-6, 0.02, true, "5.0.0");
        return config;
    }

    private static JsonObject GptNeox(string own)
    {
        JsonObject config = Config("gpt_neox", own);
        (string activation, JsonNode range) = (JsonNode.Parse(own)!["hidden_act"]!.GetValue<string>(), 0.02);
        config.Remove("num_key_value_heads");
        config.Remove("rms_norm_eps");
        (config["hidden_act"], config["layer_norm_eps"], config["initializer_range"]) = (activation, 1e-5, range);
        return config;
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

    private static IEnumerable<(string Name, int[] Shape)> Tensors(JsonObject config)
    {
        int size = config["head_dim"]?.GetValue<int>() ?? Width / Heads;
        string family = config["model_type"]!.GetValue<string>();
        yield return ("model.embed_tokens.weight", [Vocabulary, Width]);
        for (int i = 0; i < Layers; i++)
        {
            string at = $"model.layers.{i}.";
            yield return (at + "input_layernorm.weight", [Width]);
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

            if (family == "qwen3")
            {
                yield return (at + "self_attn.q_norm.weight", [size]);
                yield return (at + "self_attn.k_norm.weight", [size]);
            }

            yield return (at + "self_attn.o_proj.weight", [Width, Heads * size]);
            yield return (at + "post_attention_layernorm.weight", [Width]);
            yield return (at + "mlp.gate_proj.weight", [Inner, Width]);
            yield return (at + "mlp.up_proj.weight", [Inner, Width]);
            yield return (at + "mlp.down_proj.weight", [Width, Inner]);
        }

        yield return ("model.norm.weight", [Width]);
        if (!config["tie_word_embeddings"]!.GetValue<bool>())
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
