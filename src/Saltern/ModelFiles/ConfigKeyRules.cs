// Keys of transformers' PretrainedConfig, of its older versions and of publishers that say nothing about the logits, or do so only with some of their values.
// A family's own reader asks for its keys first; this table is for those that are left. It is printed in docs/models.md.
using System.Text.Json;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>What becomes of the keys of a <c>config.json</c> that no family has asked for.</summary>
internal static class ConfigKeyRules
{
    private const double Tolerance = 1e-9; // of a factor that another program computed

    /// <summary>The table. The first rule that covers a key holds for it.</summary>
    public static IReadOnlyList<KeyRule> All { get; } =
    [
        new(
            "what the library gives back, and how it computes the same numbers",
            "return_dict",
            "use_return_dict",
            "return_dict_in_generate",
            "output_hidden_states",
            "output_attentions",
            "output_scores",
            "output_logits",
            "output_past",
            "use_past",
            "torchscript",
            "use_bfloat16",
            "tf_legacy_loss",
            "chunk_size_feed_forward",
            "keys_to_ignore_at_inference",
            "is_decoder",
            "tie_encoder_decoder",
            "attn_implementation",
            "_attn_implementation",
            "_attn_implementation_internal",
            "_flash_attn_2_enabled",
            "use_flash_attention*",
            "use_flash_attn*",
            "flash_attn",
            "flash_rotary",
            "fused_dense",
            "fused_bias_fc",
            "use_fused_*",
            "reorder_and_upcast_attn",
            "scale_attention_softmax_in_fp32",
            "attention_softmax_in_fp32",
            "enable_lm_head_fp32",
            "gradient_checkpointing",
            "use_gradient_checkpointing",
            "use_reentrant",
            "model_parallel",
            "base_model_tp_plan",
            "base_model_pp_plan",
            "_tp_plan",
            "init_device",
            "loss_type",
            "ignore_index"
        ),
        new(
            "heads and labels of other tasks",
            "finetuning_task",
            "id2label",
            "label2id",
            "num_labels",
            "_num_labels",
            "problem_type",
            "task_specific_params",
            "summary_type",
            "summary_use_proj",
            "summary_activation",
            "summary_proj_to_labels",
            "classifier_*",
            "n_special",
            "predict_special_tokens"
        ),
        new(
            "how text is drawn from the model: end tokens are read, the rest is for the options of `generate`",
            "max_length",
            "min_length",
            "max_new_tokens",
            "min_new_tokens",
            "max_time",
            "stop_strings",
            "do_sample",
            "early_stopping",
            "num_beams",
            "num_beam_groups",
            "diversity_penalty",
            "temperature",
            "top_k",
            "top_p",
            "min_p",
            "typical_p",
            "epsilon_cutoff",
            "eta_cutoff",
            "repetition_penalty",
            "length_penalty",
            "no_repeat_ngram_size",
            "encoder_no_repeat_ngram_size",
            "encoder_repetition_penalty",
            "bad_words_ids",
            "force_words_ids",
            "num_return_sequences",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "forced_decoder_ids",
            "remove_invalid_values",
            "exponential_decay_length_penalty",
            "suppress_tokens",
            "begin_suppress_tokens",
            "renormalize_logits",
            "penalty_alpha",
            "guidance_scale",
            "cache_implementation",
            "low_memory"
        ),
        new(
            "names and ids of tokens: `tokenizer.json` decides",
            "unk_token_id",
            "sep_token_id",
            "cls_token_id",
            "mask_token_id",
            "decoder_start_token_id",
            "bos_token",
            "eos_token",
            "pad_token",
            "unk_token",
            "tokenizer_class",
            "tokenizer_name",
            "prefix"
        ),
        new(
            "marks of publishers and programs",
            "is_llama_config",
            "unsloth_*",
            "transformers.js_config",
            "transformers_js_config",
            "custom_pipelines",
            "_commit_hash",
            "_auto_class",
            "_from_model_config",
            "from_model_config",
            "name_or_path",
            "model_name",
            "base_model_name_or_path",
            "license",
            "language",
            "tags",
            "revision",
            "trust_remote_code"
        ),
        new("code of the publisher's own, which is never run: the family's own definition holds", "auto_map"),
        new(
            "how the first weights were drawn",
            "init_std",
            "init_method",
            "initializer_factor",
            "initializer_cutoff_factor"
        ),
        new(
            "lengths and sizes of the training that made it",
            "max_sequence_length",
            "max_seq_length",
            "max_seq_len",
            "seq_length",
            "seq_len",
            "sequence_length",
            "model_max_length",
            "padded_vocab_size",
            "unpadded_vocab_size",
            "pad_vocab_size_multiple_of"
        ),
        new(
            "dropout: part of how the model was trained; nothing is dropped here, in training neither",
            "attention_dropout",
            "attention_probs_dropout_prob",
            "attn_pdrop",
            "attn_dropout",
            "hidden_dropout",
            "hidden_dropout_prob",
            "resid_pdrop",
            "resid_dropout",
            "residual_dropout",
            "embd_pdrop",
            "embed_dropout",
            "embedding_dropout",
            "activation_dropout",
            "ffn_dropout",
            "mlp_dropout",
            "dropout",
            "layerdrop",
            "summary_first_dropout"
        )
        {
            IsDropout = true,
        },
        new("an encoder beside the decoder", "is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size")
        {
            Neutral = "false",
            Passes = key => key.IsNothing(),
        },
        new(
            "weights that are stored quantized: get the model in float32, float16 or bfloat16",
            "quantization_config",
            "compression_config",
            "quantization",
            "quantize"
        )
        {
            Neutral = "none",
            Passes = key => key.IsNothing(),
        },
        new("weights of heads that were cut out", "pruned_heads") { Neutral = "none", Passes = key => key.IsNothing() },
        new("pictures or sound beside the text", "vision_config", "audio_config", "text_config", "thinker_config")
        {
            Neutral = "none",
            Passes = key => key.IsNothing(),
        },
        new("positions of pictures", "use_mrope", "mrope_section")
        {
            Neutral = "false",
            Passes = key => key.IsNothing(),
        },
        new(
            "rotary positions that turn neighbours instead of halves",
            "rope_interleaved",
            "rotary_interleaved",
            "rope_interleave"
        )
        {
            Neutral = "false",
            Passes = key => key.IsFlag(false),
        },
        new("share of a head that is turned", "partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_percentage")
        {
            Neutral = "as the family computes it",
            Passes = key => Near(key.Number, key.Shape.PartialRotaryFactor),
        },
        new("elements of a head that are turned", "rotary_dim", "qk_rope_head_dim", "rotary_ndims")
        {
            Neutral = "as the family computes it",
            Passes = key => key.Number == key.Shape.RotaryDim,
        },
        new("layers without positions", "no_rope_layers")
        {
            Neutral = "1 for every layer",
            Passes = key => key.IsListOf(layer => layer.ValueKind == JsonValueKind.Number && layer.GetRawText() == "1"),
        },
        new("layers without positions, every so many", "no_rope_layer_interval")
        {
            Neutral = "0, or beside `no_rope_layers`, which holds",
            Passes = key => key.IsNothing() || key.Root.TryGetProperty("no_rope_layers", out _),
        },
        new("positions by distance instead of rotation", "alibi", "use_alibi")
        {
            Neutral = "false",
            Passes = key => key.IsFlag(false),
        },
        new("kind of positions", "position_embedding_type")
        {
            Neutral = "`rope` or `rotary` in a family that turns, `absolute` or `learned` in one that learns them",
            Passes = key =>
                key.Shape.LearnedPositions ? key.IsWord("absolute", "learned") : key.IsWord("rope", "rotary"),
        },
        new("window of the attention", "sliding_window", "attention_window", "window_size", "local_attention_window")
        {
            Neutral =
                "as the family computes it, none, no less than the positions, or beside `use_sliding_window: false`",
            Passes = key =>
                key.IsNothing()
                || key.Denies("use_sliding_window")
                || key.Number == key.Shape.SlidingWindow
                || key.Number >= key.Shape.MaxPositionEmbeddings,
        },
        new("whether there is a window", "use_sliding_window")
        {
            Neutral = "false, or true where the family has one",
            Passes = key => key.IsFlag(key.Shape.SlidingWindow > 0) || key.IsFlag(false),
        },
        new("layers with a window", "max_window_layers", "sliding_window_pattern", "_sliding_window_pattern")
        {
            Neutral = "any where there is no window",
            Passes = key => key.Shape.SlidingWindow == 0,
        },
        new("kinds of layers", "layer_types", "attention_layers")
        {
            Neutral = "`full_attention` for every layer",
            Passes = key =>
                key.IsListOf(layer =>
                    layer.ValueKind == JsonValueKind.String && layer.GetString() is "full_attention" or "global"
                ),
        },
        new(
            "the activation a second time",
            "activation",
            "activation_function",
            "hidden_activation",
            "mlp_activation",
            "hidden_act"
        )
        {
            Neutral =
                "`swiglu`, `silu`, `swish` where the feed-forward layer has a gate, the same word where it has none",
            Passes = IsSameActivation,
        },
        new(
            "biases",
            "attention_bias",
            "use_attention_bias",
            "use_qkv_bias",
            "qkv_bias",
            "attn_bias",
            "attention_qkv_bias"
        )
        {
            Neutral = "as the family computes it",
            Passes = key =>
                key.IsFlag(key.Shape.AttentionBias || key.Shape.QkvBias) || key.IsFlag(key.Shape.AttentionBias),
        },
        new("biases of the feed-forward layer", "mlp_bias", "ffn_bias", "use_mlp_bias")
        {
            Neutral = "as the family computes it",
            Passes = key => key.IsFlag(key.Shape.MlpBias),
        },
        new("biases in general", "use_bias", "bias", "add_bias_linear", "enable_bias")
        {
            Neutral = "as the family computes it",
            Passes = key =>
                key.IsFlag(true)
                    ? key.Shape is { AttentionBias: true, MlpBias: true }
                    : key.Shape is { AttentionBias: false, MlpBias: false },
        },
        new(
            "norms of query and key heads",
            "qk_norm",
            "use_qk_norm",
            "qk_layernorm",
            "use_qk_layernorm",
            "attn_qk_norm"
        )
        {
            Neutral = "as the family computes it",
            Passes = key => key.IsFlag(key.Shape.QkNorm),
        },
        new("values that are cut at a limit", "clip_qkv", "clip_kqv")
        {
            Neutral = "none",
            Passes = key => key.IsNothing(),
        },
        new(
            "soft caps of scores and logits",
            "attn_logit_softcapping",
            "final_logit_softcapping",
            "logit_softcapping",
            "logits_soft_cap",
            "attn_softcap"
        )
        {
            Neutral = "none",
            Passes = key => key.IsNothing(),
        },
        new(
            "factors of embeddings, branches and logits",
            "embedding_multiplier",
            "residual_multiplier",
            "logits_scaling",
            "logit_scale",
            "embedding_scale",
            "scale_emb",
            "lm_head_multiplier",
            "mup_scale"
        )
        {
            Neutral = "1",
            Passes = key => key.Number == 1,
        },
        new(
            "factors of embeddings that are on or off",
            "scale_embedding",
            "scale_embeddings",
            "normalize_embeddings",
            "use_mup"
        )
        {
            Neutral = "false",
            Passes = key => key.IsFlag(false),
        },
        new("factor of the scores", "attention_multiplier", "softmax_scale", "attn_scale")
        {
            Neutral = "1 over the root of a head's size",
            Passes = key => Near(key.Number, 1 / Math.Sqrt(key.Shape.HeadDim)),
        },
        new("the number whose root divides the scores", "query_pre_attn_scalar")
        {
            Neutral = "a head's size",
            Passes = key => key.Number == key.Shape.HeadDim,
        },
        new("whether scores are divided by that root", "scale_attn_weights")
        {
            Neutral = "true",
            Passes = key => key.IsFlag(true),
        },
        new("scores that are divided by the layer's number too", "scale_attn_by_inverse_layer_idx")
        {
            Neutral = "false",
            Passes = key => key.IsFlag(false),
        },
        new("branches that are added together", "use_parallel_residual", "parallel_attn", "parallel_residual")
        {
            Neutral = "as the family computes it",
            Passes = key => key.IsFlag(key.Shape.UseParallelResidual),
        },
        new("layers that share weights", "share_layers", "layer_sharing", "share_embedding", "shared_layers")
        {
            Neutral = "false",
            Passes = key => key.IsNothing() || (key.Name == "share_embedding" && key.IsFlag(key.Shape.IsTied)),
        },
        new(
            "experts",
            "num_experts",
            "num_local_experts",
            "n_routed_experts",
            "n_shared_experts",
            "moe_layers",
            "num_nextn_predict_layers",
            "mlp_only_layers"
        )
        {
            Neutral = "none",
            Passes = key => key.IsNothing(),
        },
        new("the shape a second time", "head_dim", "attention_head_dim", "kv_channels")
        {
            Neutral = "as the family's keys say",
            Passes = key => key.Number == key.Shape.HeadDim,
        },
        new("the shape a second time", "hidden_size", "n_embd", "d_model", "dim", "word_embed_proj_dim")
        {
            Neutral = "as the family's keys say",
            Passes = key => key.Number == key.Shape.HiddenSize,
        },
        new("the shape a second time", "num_hidden_layers", "n_layer", "n_layers", "num_layers")
        {
            Neutral = "as the family's keys say",
            Passes = key => key.Number == key.Shape.NumHiddenLayers,
        },
        new("the shape a second time", "num_attention_heads", "n_head", "n_heads", "num_heads")
        {
            Neutral = "as the family's keys say",
            Passes = key => key.Number == key.Shape.NumAttentionHeads,
        },
        new(
            "the shape a second time",
            "num_key_value_heads",
            "n_head_kv",
            "n_kv_heads",
            "num_kv_heads",
            "multi_query_group_num"
        )
        {
            Neutral = "as the family's keys say",
            Passes = key => key.Number == key.Shape.NumKeyValueHeads,
        },
        new("the shape a second time", "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
        {
            Neutral = "as the family's keys say",
            Passes = key => key.Number == key.Shape.IntermediateSize,
        },
        new("the shape a second time", "max_position_embeddings", "n_positions", "n_ctx", "max_positions")
        {
            Neutral = "as the family's keys say",
            Passes = key => key.Number == key.Shape.MaxPositionEmbeddings,
        },
        new(
            "the norms' ε a second time",
            "rms_norm_eps",
            "layer_norm_eps",
            "layer_norm_epsilon",
            "norm_eps",
            "norm_epsilon"
        )
        {
            Neutral = "as the family's keys say",
            Passes = key => Near(key.Number, key.Shape.LayerNormEps ?? key.Shape.RmsNormEps),
        },
    ];

    /// <summary>Passes over what changes nothing and what the user wants ignored, and refuses the rest.</summary>
    /// <param name="json">The root, after the family has read its keys.</param>
    /// <param name="root">The same, as it is.</param>
    /// <param name="shape">What the family's keys say.</param>
    /// <exception cref="DataFormatException">There are keys that may change what is computed; all are named.</exception>
    public static void Apply(ConfigJson json, JsonElement root, TransformerConfig shape)
    {
        List<string> wrong = [];
        json.RefuseTheRest(property => Take(json, root, shape, property, wrong));
        if (wrong.Count > 0)
        {
            throw new DataFormatException(
                $"{json.Path}: {string.Join(" ", wrong)} What they change is not computed for this family"
                    + " (docs/models.md). If you know that they change nothing here, --ignore-key reads the model without them."
            );
        }
    }

    // Whether a key is settled: passed over, or refused with its reason.
    private static bool Take(
        ConfigJson json,
        JsonElement root,
        TransformerConfig shape,
        JsonProperty property,
        List<string> wrong
    )
    {
        if (All.FirstOrDefault(rule => rule.Covers(property.Name)) is not KeyRule rule)
        {
            return false;
        }

        var key = new KeyInPlace(property.Name, property.Value, root, shape);
        if (rule.IsDropout)
        {
            (key.IsNothing() ? json.Ledger.Passed : json.Ledger.Dropouts).Add(
                key.IsNothing() ? key.Name : $"{key.Name} = {ConfigJson.Shown(key.Value)}"
            );
            return true;
        }

        if (rule.Passes?.Invoke(key) ?? true)
        {
            json.Ledger.Passed.Add(key.Name);
            return true;
        }

        wrong.Add($"{key.Name} is '{ConfigJson.Shown(key.Value)}'. Allowed: {rule.Neutral}. It is about {rule.Says}.");
        return true;
    }

    private static bool IsSameActivation(KeyInPlace key)
    {
        if (key.Shape.IsGated)
        {
            return key.IsWord("swiglu", "silu", "swish");
        }

        return key.IsWord(GeluWords.Word(key.Shape.HiddenAct));
    }

    private static bool Near(double found, double wanted) => Math.Abs(found - wanted) <= Tolerance * Math.Abs(wanted);
}
