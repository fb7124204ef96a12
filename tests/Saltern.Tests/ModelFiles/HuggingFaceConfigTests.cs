using System.Text;
using System.Text.Json.Nodes;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Tests.ModelFiles;

public class HuggingFaceConfigTests
{
    public static TheoryData<string> Families => new(FamilyModel.Names);

    [Fact]
    public void Llama31Scaling_FollowsItsPublishedRule()
    {
        // Original length 8192, low 1, high 4, factor 8: wavelengths above 8192 tokens are stretched by 8, below 2048 kept.
        var scaling = new RopeScalingConfig
        {
            RopeType = RopeType.Llama3,
            Factor = 8,
            LowFreqFactor = 1,
            HighFreqFactor = 4,
            OriginalMaxPositionEmbeddings = 8192,
        };
        double Frequency(double wavelength) => 2 * Math.PI / wavelength;
        Assert.Equal(Frequency(2000), scaling.ScaleByWavelength(Frequency(2000)), 15);
        Assert.Equal(Frequency(9000) / 8, scaling.ScaleByWavelength(Frequency(9000)), 15);

        // Wavelength 4096 is 2 turns: (2 − 1)/(4 − 1) = 1/3 of it stays, and 2/3 is divided by 8.
        Assert.Equal(Frequency(4096) * ((1.0 / 3) + (2.0 / 3 / 8)), scaling.ScaleByWavelength(Frequency(4096)), 15);
    }

    [Fact]
    public void BothGenerationsOfKeys_SayTheSame()
    {
        TransformerConfig old = Read("llama", "rope_theta", "500000.0", "rope_scaling", Llama3Scaling);
        TransformerConfig later = Read(
            "llama",
            "rope_theta",
            "null",
            "rope_parameters",
            Llama3Scaling.Replace("{", "{\"rope_theta\":500000.0,", StringComparison.Ordinal)
        );
        Assert.Equal((500_000.0, 32.0), (old.RopeTheta, old.RopeScaling!.Factor));
        Assert.Equal(old, later);
        Assert.Equal(
            old,
            Read(
                "llama",
                "rope_theta",
                "500000.0",
                "rope_scaling",
                Llama3Scaling.Replace("rope_type", "type", StringComparison.Ordinal)
            )
        );
    }

    [Theory]
    [InlineData(
        "llama",
        "quantization_config",
        """{"bits":4}""",
        "quantization_config is '{\"bits\":4}'. Allowed: none."
    )]
    [InlineData("llama", "sliding_window", "4", "sliding_window is '4'")] // Llama has none: its meaning would be a guess
    [InlineData("llama", "made_up", "1", "not understood: 'made_up'")]
    [InlineData("llama", "made_up", "1", "--ignore-key made_up")]
    [InlineData("llama", "rope_interleaved", "true", "rope_interleaved is 'true'. Allowed: false")]
    [InlineData("llama", "attn_logit_softcapping", "50.0", "It is about soft caps of scores and logits")]
    [InlineData("llama", "is_encoder_decoder", "true", "is_encoder_decoder is 'true'. Allowed: false")]
    [InlineData("llama", "head_dim", "\"four\"", "head_dim is '\"four\"'. Allowed: a whole number")]
    [InlineData("llama", "activation", "\"geglu\"", "activation is '\"geglu\"'")]
    [InlineData("llama", "qk_norm", "true", "qk_norm is 'true'. Allowed: as the family computes it")]
    [InlineData("llama", "residual_multiplier", "0.22", "residual_multiplier is '0.22'. Allowed: 1")]
    [InlineData("llama", "pruned_heads", """{"1":[0]}""", "pruned_heads is '{\"1\":[0]}'. Allowed: none")]
    [InlineData("llama", "layer_types", """["full_attention","sliding_attention"]""", "layer_types is")]
    [InlineData("llama", "no_rope_layers", "[1,0]", "no_rope_layers is '[1,0]'. Allowed: 1 for every layer")]
    [InlineData("qwen2", "use_mrope", "true", "use_mrope is 'true'. Allowed: false")]
    [InlineData(
        "llama",
        "rope_scaling",
        """{"rope_type":"longrope","factor":4.0}""",
        "rope_scaling.rope_type is 'longrope'. Allowed: default, llama3, linear, dynamic, yarn; it chooses"
    )]
    [InlineData("llama", "rope_scaling", """{"factor":8}""", "not understood: 'rope_scaling.factor'")]
    [InlineData(
        "llama",
        "rope_scaling",
        """{"rope_type":"llama3","factor":8.0}""",
        "'rope_scaling.low_freq_factor' is missing"
    )]
    [InlineData(
        "llama",
        "rope_scaling",
        """{"rope_type":"llama3","factor":8.0,"low_freq_factor":4.0,"high_freq_factor":1.0,"original_max_position_embeddings":16}""",
        "high_freq_factor = 1 must be above"
    )]
    [InlineData(
        "llama",
        "rope_parameters",
        """{"rope_theta":5.0}""",
        "rope_parameters.rope_theta is '5'. Allowed: 10000"
    )]
    [InlineData(
        "llama",
        "rope_parameters",
        """{"rope_type":"default","partial_rotary_factor":0.5}""",
        "'rope_parameters.partial_rotary_factor'"
    )]
    [InlineData("llama", "hidden_act", "\"gelu\"", "hidden_act is 'gelu'. Allowed: silu")]
    [InlineData(
        "llama",
        "model_type",
        "\"mamba\"",
        "model_type is 'mamba'. Allowed: llama, mistral, qwen2, qwen3, gpt_neox, gpt2, olmo2"
    )]
    [InlineData("llama", "model_type", "null", "model_type is ''")]
    [InlineData("llama", "vocab_size", "null", "'vocab_size' is missing")]
    [InlineData("llama", "vocab_size", "1.5", "vocab_size is '1.5'. Allowed: a whole number")]
    [InlineData("llama", "vocab_size", "-3", "vocab_size = -3 is outside")]
    [InlineData("llama", "hidden_size", "0", "hidden_size = 0 must be positive")]
    [InlineData("llama", "num_attention_heads", "5", "does not divide hidden_size")]
    [InlineData("llama", "head_dim", "7", "is odd")]
    [InlineData("llama", "rms_norm_eps", "1e999", "rms_norm_eps is '1e999'")]
    [InlineData("llama", "tie_word_embeddings", "\"yes\"", "Allowed: true or false")]
    [InlineData("mistral", "sliding_window", "@absent", "'sliding_window' is missing")]
    [InlineData("mistral", "sliding_window", "0", "sliding_window is '0'")]
    [InlineData("mistral", "attention_bias", "true", "attention_bias is 'true'. Allowed: as the family computes it")]
    [InlineData(
        "mistral",
        "layer_types",
        """["full_attention","sliding_attention"]""",
        "layer_types is 'of two kinds'. Allowed: a window in all layers or in none"
    )]
    [InlineData(
        "qwen2",
        "layer_types",
        """["full_attention","linear_attention"]""",
        "layer_types is 'linear_attention'"
    )]
    [InlineData("qwen2", "layer_types", """["full_attention"]""", "layer_types is '1 entries'")]
    [InlineData("qwen3", "head_dim", "@absent", "'head_dim' is missing")]
    [InlineData(
        "pythia",
        "hidden_act",
        "\"silu\"",
        "hidden_act is 'silu'. Allowed: gelu, gelu_new, gelu_fast, gelu_pytorch_tanh"
    )]
    [InlineData(
        "pythia",
        "partial_rotary_factor",
        "0.5",
        "rotary_pct is '0.67'. Allowed: 0.5, as partial_rotary_factor says"
    )]
    [InlineData("pythia", "rope_theta", "5.0", "rotary_emb_base is '10000'. Allowed: 5, as rope_theta says")]
    [InlineData("pythia", "rotary_pct", "0.5", "partial_rotary_factor = 0.5 turns 3 of a head's 6 elements")]
    [InlineData("pythia", "rotary_pct", "0.0", "turns 0 of a head's 6 elements")]
    [InlineData("pythia", "rotary_pct", "1.5", "partial_rotary_factor = 1.5 is outside")]
    [InlineData("pythia", "num_key_value_heads", "2", "num_key_value_heads is '2'. Allowed: as the family's keys say")]
    [InlineData("pythia", "hidden_size", "26", "does not divide hidden_size")]
    [InlineData(
        "neox-sequential",
        "rope_parameters",
        """{"rope_type":"linear","factor":2.0,"low_freq_factor":1.0}""",
        "'rope_parameters.low_freq_factor'"
    )]
    [InlineData("mobilellm", "layer_sharing", "true", "layer_sharing is 'true'. Allowed: false: layers that run twice")]
    [InlineData("opt", "do_layer_norm_before", "false", "Allowed: true: norms between the branches (OPT-350m)")]
    [InlineData("opt", "word_embed_proj_dim", "12", "word_embed_proj_dim is '12'. Allowed: 24, as hidden_size says")]
    [InlineData("phi", "qk_layernorm", "true", "qk_layernorm is 'true'")]
    [InlineData("phi", "tie_word_embeddings", "true", "tie_word_embeddings must be false: Phi's head has biases")]
    [InlineData("gpt-neo", "attention_types", """[[["global","local"],2]]""", "attention_types is 'something else'")]
    [InlineData("gpt-neo", "attention_types", """[[["global","linear"],1]]""", "attention_types is 'something else'")]
    [InlineData("gpt-neo", "attention_layers", """["local","global"]""", "attention_types is 'something else'")]
    [InlineData("gpt-neo", "window_size", "0", "window_size is '0'")]
    [InlineData("smollm3", "no_rope_layers", "[1]", "no_rope_layers is '1 entries'. Allowed: 1 or 0 for each of the 2")]
    [InlineData("gemma", "hidden_act", "\"silu\"", "hidden_act is 'silu'. Allowed: gelu, or gelu_pytorch_tanh")]
    [InlineData("gemma2", "query_pre_attn_scalar", "@absent", "'query_pre_attn_scalar' is missing")]
    [InlineData("gemma2", "sliding_window", "@absent", "'sliding_window' is missing")]
    [InlineData("gemma3", "use_bidirectional_attention", "true", "use_bidirectional_attention is 'true'")]
    [InlineData("gpt2", "activation_function", "\"relu\"", "activation_function is 'relu'")]
    [InlineData("gpt2", "scale_attn_weights", "false", "scale_attn_weights is 'false'. Allowed: true.")]
    [InlineData(
        "gpt2",
        "scale_attn_by_inverse_layer_idx",
        "true",
        "scale_attn_by_inverse_layer_idx is 'true'. Allowed: false"
    )]
    [InlineData("gpt2", "add_cross_attention", "true", "add_cross_attention is 'true'. Allowed: false")]
    [InlineData("gpt2", "n_embd", "@absent", "'n_embd' is missing")]
    [InlineData("gpt2", "n_embd", "2000000000", "hidden_size = 2000000000 is outside")]
    [InlineData("gpt2", "n_embd", "-2147483648", "hidden_size = -2147483648 is outside")]
    [InlineData("gpt2", "hidden_size", "25", "hidden_size is '25'. Allowed: as the family's keys say")]
    public void WhatIsNotComputed_IsNamed(string family, string key, string value, string expected)
    {
        string message = Assert.Throws<DataFormatException>(() => Read(family, key, value)).Message;
        Assert.StartsWith("config.json", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Windows_AreReadAsTheFamilyMeansThem()
    {
        Assert.Equal(5, Read("mistral").SlidingWindow);
        Assert.Equal(0, Read("mistral", "sliding_window", "null").SlidingWindow);
        Assert.Equal(0, Read("qwen2").SlidingWindow); // not used, whatever its size
        TransformerConfig mixed = Read("qwen2", "use_sliding_window", "true"); // from layer max_window_layers = 1 on
        Assert.Equal((7, "LS"), (mixed.SlidingWindow, mixed.WindowPattern));
        Assert.Equal(7, Read("qwen2", "use_sliding_window", "true", "max_window_layers", "0").SlidingWindow);
        Assert.Equal(0, Read("qwen2", "use_sliding_window", "true", "max_window_layers", "2").SlidingWindow);
        Assert.Equal(
            7,
            Read(
                "qwen2",
                "use_sliding_window",
                "true",
                "layer_types",
                """["sliding_attention","sliding_attention"]"""
            ).SlidingWindow
        );
    }

    [Fact]
    public void GptNeox_IsReadInBothGenerationsOfKeys()
    {
        TransformerConfig old = Read("pythia");
        TransformerConfig later = Read(
            "pythia",
            "rotary_pct",
            "@absent",
            "rotary_emb_base",
            "@absent",
            "rope_parameters",
            """{"rope_type":"default","rope_theta":10000.0,"partial_rotary_factor":0.67}"""
        );
        Assert.Equal((10_000.0, 0.67, 4), (old.RopeTheta, old.PartialRotaryFactor, old.RotaryDim));
        Assert.Equal(old, later);
        Assert.Equal(
            old,
            Read(
                "pythia",
                "rotary_pct",
                "@absent",
                "rotary_emb_base",
                "@absent",
                "rope_theta",
                "10000",
                "partial_rotary_factor",
                "0.67"
            )
        );

        // What absence means there: a quarter of each head, in parallel, with biases; 0.25 of a head of 6 is odd, so heads of 8 here.
        TransformerConfig silent = Read(
            "pythia",
            "num_attention_heads",
            "3",
            "rotary_pct",
            "@absent",
            "rotary_emb_base",
            "@absent",
            "use_parallel_residual",
            "@absent"
        );
        Assert.Equal(
            (0.25, 2, true, true),
            (silent.PartialRotaryFactor, silent.RotaryDim, silent.UseParallelResidual, silent.AttentionBias)
        );
    }

    [Theory]
    [InlineData("llama", "is_llama_config", "true")]
    [InlineData("llama", "rope_interleaved", "false")]
    [InlineData("llama", "unsloth_version", "\"2025.1\"")]
    [InlineData("llama", "transformers.js_config", """{"kv_cache_dtype":{"q4f16":"float16"}}""")]
    [InlineData("llama", "id2label", """{"0":"LABEL_0"}""")]
    [InlineData("llama", "temperature", "0.7")]
    [InlineData("llama", "quantization_config", "{}")]
    [InlineData("llama", "auto_map", """{"AutoModel":"modeling.Model"}""")]
    [InlineData("llama", "activation", "\"swiglu\"")]
    [InlineData("llama", "layer_types", """["full_attention","full_attention"]""")]
    [InlineData("llama", "sliding_window", "1000000")]
    [InlineData("llama", "max_window_layers", "2")]
    [InlineData("llama", "is_encoder_decoder", "false")]
    [InlineData("llama", "torchscript", "false")]
    [InlineData("llama", "residual_multiplier", "1.0")]
    [InlineData("llama", "attention_dropout", "0.0")]
    [InlineData("mistral", "attention_bias", "false")]
    [InlineData("qwen2", "use_mrope", "false")]
    [InlineData("pythia", "num_key_value_heads", "4")]
    [InlineData("gpt2", "_num_labels", "1")]
    [InlineData("gpt2", "hidden_size", "24")]
    public void WhatChangesNothing_PassesAndIsNamed(string family, string key, string value)
    {
        TransformerConfig plain = Read(family);
        ConfigReading reading = Reading(family, [], key, value);
        Assert.Equal(plain, reading.Shape);
        Assert.Contains(key, reading.Passed);
        Assert.Contains(key, reading.Remark!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("llama", "attention_dropout")]
    [InlineData("pythia", "hidden_dropout")]
    [InlineData("gpt2", "resid_pdrop")]
    public void Dropout_IsNamedWithItsValue(string family, string key)
    {
        ConfigReading reading = Reading(family, [], key, "0.1");
        Assert.Equal(Read(family), reading.Shape);
        Assert.Contains($"{key} = 0.1", reading.Remark!, StringComparison.Ordinal);
        Assert.Contains("nothing is dropped here", reading.Remark!, StringComparison.Ordinal);
    }

    [Fact]
    public void IgnoredKeys_ArePassedOverAndNamed()
    {
        ConfigReading reading = Reading("llama", ["made_up", "absent"], "made_up", "1");
        Assert.Equal(Read("llama"), reading.Shape);
        Assert.Equal(["made_up"], reading.Ignored);
        Assert.Equal(["absent"], reading.Absent);
        Assert.Contains("made_up (ignored as you said", reading.Remark!, StringComparison.Ordinal);
        Assert.Contains("absent (to be ignored, but not there)", reading.Remark!, StringComparison.Ordinal);

        // One that is known, with a value that is not computed; and one inside another.
        Assert.Equal(["use_mrope"], Reading("qwen2", ["use_mrope"], "use_mrope", "true").Ignored);
        Assert.Equal(
            ["rope_parameters.made_up"],
            Reading(
                "llama",
                ["rope_parameters.made_up"],
                "rope_parameters",
                """{"rope_type":"default","rope_theta":10000.0,"made_up":1}"""
            ).Ignored
        );
    }

    [Fact]
    public void AKeyThatIsRead_CannotBeIgnored() =>
        Assert.Contains(
            "hidden_size cannot be ignored",
            Assert.Throws<ConfigurationException>(() => Reading("llama", ["hidden_size"])).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void ByteOrderMarks_AreNoPartOfTheText()
    {
        string json = Config("llama").ToJsonString();
        TransformerConfig plain = Read("llama");
        foreach (Encoding encoding in new[] { Encoding.UTF8, Encoding.Unicode, Encoding.BigEndianUnicode })
        {
            byte[] marked = [.. encoding.GetPreamble(), .. encoding.GetBytes(json)];
            Assert.Equal(plain, HuggingFaceConfig.Parse("config.json", marked));
        }
    }

    [Fact]
    public void EveryKey_HasOneRule()
    {
        string[] keys = [.. ConfigKeyRules.All.SelectMany(rule => rule.Keys)];
        Assert.Equal(keys.Distinct(), keys);
        Assert.All(keys, key => Assert.Single(ConfigKeyRules.All, rule => rule.Covers(key)));
    }

    [Fact]
    public void Gemma3_IsReadInBothGenerationsOfKeys()
    {
        TransformerConfig old = Read("gemma3");
        TransformerConfig later = Read(
            "gemma3",
            "rope_theta",
            "@absent",
            "rope_scaling",
            "@absent",
            "rope_local_base_freq",
            "@absent",
            "rope_parameters",
            """{"full_attention":{"rope_type":"linear","rope_theta":1000000.0,"factor":8.0},"sliding_attention":"""
                + """{"rope_type":"default","rope_theta":100.0}}"""
        );
        Assert.Equal((1e6, 100.0, "SL"), (old.RopeTheta, old.RopeLocalBaseFreq, old.WindowPattern));
        Assert.Equal(old, later);

        // What absence means: every sixth layer sees all, and its base is a million.
        TransformerConfig silent = Read("gemma3", "layer_types", "@absent", "num_hidden_layers", "7");
        Assert.Equal("SSSSSLS", string.Concat(Enumerable.Range(0, 7).Select(i => silent.WindowOf(i) > 0 ? 'S' : 'L')));
        Assert.Equal("SL", Read("gemma2", "num_hidden_layers", "4").WindowPattern);
    }

    [Fact]
    public void SmolLm3_TurnsAllLayersButEveryFourthUnlessToldOtherwise()
    {
        Assert.Equal("RN", Read("smollm3").RopePattern);
        string[] all = ["no_rope_layers", "@absent", "no_rope_layer_interval", "@absent", "layer_types", "@absent"];
        Assert.Equal("RRRN", Read("smollm3", [.. all, "num_hidden_layers", "8"]).RopePattern);
    }

    [Fact]
    public void Gpt2_TiesItsHeadUnlessToldOtherwise()
    {
        TransformerConfig config = Read("gpt2");
        Assert.Equal((true, 96, Activation.GeluNew), (config.IsTied, config.IntermediateSize, config.HiddenAct));
        Assert.False(Read("gpt2", "tie_word_embeddings", "false").IsTied);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void WrittenConfigs_ReadBackTheSame(string family)
    {
        TransformerConfig config = Read(family);
        Assert.Equal(
            config,
            HuggingFaceConfig.Parse(
                "config.json",
                Encoding.UTF8.GetBytes(HuggingFaceConfig.Write(config).ToJsonString())
            )
        );
        TransformerConfig windowed = config with { SlidingWindow = 9 };
        if (OptionRules.Problems(windowed).Any())
        {
            return; // the family has no window
        }

        Assert.Equal(
            windowed,
            HuggingFaceConfig.Parse(
                "config.json",
                Encoding.UTF8.GetBytes(HuggingFaceConfig.Write(windowed).ToJsonString())
            )
        );
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void ChangedConfigs_GiveErrorsOfOurOwn(string family) =>
        new MutationFuzz(Encoding.UTF8.GetBytes(Config(family).ToJsonString())).Run(
            file => HuggingFaceConfig.Parse("config.json", file),
            share: 0.2
        ); // nine samples: more than all cases together

    private const string Llama3Scaling =
        """{"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}""";

    private static TransformerConfig Read(string family, params string[] changes) => Reading(family, [], changes).Shape;

    private static ConfigReading Reading(string family, string[] ignored, params string[] changes)
    {
        JsonObject config = Config(family);
        foreach (string[] change in changes.Chunk(2))
        {
            config.Remove(change[0]);
            if (change[1] != "@absent")
            {
                config[change[0]] = $"@{change[0]}@";
            }
        }

        // Put in as text, so that values no JSON library would write can be tried too.
        string text = changes
            .Chunk(2)
            .Aggregate(
                config.ToJsonString(),
                (json, change) => json.Replace($"\"@{change[0]}@\"", change[1], StringComparison.Ordinal)
            );
        return HuggingFaceConfig.Parse("config.json", Encoding.UTF8.GetBytes(text), ignored);
    }

    private static JsonObject Config(string family)
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        return JsonNode.Parse(File.ReadAllText(folder["config.json"]))!.AsObject();
    }
}
