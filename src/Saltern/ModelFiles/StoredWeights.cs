// What each family's files call the weights, and how they arrange them. The decoder's own names (DecoderLayout.cs) are Llama's, so Llama and its kin need no entry.
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The tensors of a family's files for a given shape.</summary>
internal static class StoredWeights
{
    private const string Query = "self_attn.q_proj.";

    // Ours → theirs; a name takes every entry that fits.
    private static readonly (string Ours, string Theirs)[] GptNeoxNames =
    [
        ("model.embed_tokens.", "gpt_neox.embed_in."),
        ("model.layers.", "gpt_neox.layers."),
        (Query, "attention.query_key_value."),
        ("self_attn.o_proj.", "attention.dense."),
        ("mlp.up_proj.", "mlp.dense_h_to_4h."),
        ("mlp.down_proj.", "mlp.dense_4h_to_h."),
        ("model.norm.", "gpt_neox.final_layer_norm."),
        ("lm_head.", "embed_out."),
    ];

    private static readonly (string Ours, string Theirs)[] Gpt2Names =
    [
        ("model.embed_tokens.", Gpt2Prefix + "wte."),
        ("model.embed_positions.", Gpt2Prefix + "wpe."),
        ("model.layers.", Gpt2Prefix + "h."),
        ("input_layernorm.", "ln_1."),
        (Query, "attn.c_attn."),
        ("self_attn.o_proj.", "attn.c_proj."),
        ("post_attention_layernorm.", "ln_2."),
        ("mlp.up_proj.", "mlp.c_fc."),
        ("mlp.down_proj.", "mlp.c_proj."),
        ("model.norm.", Gpt2Prefix + "ln_f."),
    ];

    private static readonly (string Ours, string Theirs)[] PhiNames =
    [
        ("self_attn.o_proj.", "self_attn.dense."),
        ("mlp.up_proj.", "mlp.fc1."),
        ("mlp.down_proj.", "mlp.fc2."),
        ("model.norm.", "model.final_layernorm."),
    ];

    private static readonly (string Ours, string Theirs)[] OptNames =
    [
        ("model.embed_", "model.decoder.embed_"),
        ("model.layers.", "model.decoder.layers."),
        ("input_layernorm.", "self_attn_layer_norm."),
        ("self_attn.o_proj.", "self_attn.out_proj."),
        ("post_attention_layernorm.", "final_layer_norm."),
        ("mlp.up_proj.", "fc1."),
        ("mlp.down_proj.", "fc2."),
        ("model.norm.", "model.decoder.final_layer_norm."),
    ];

    private static readonly (string Ours, string Theirs)[] GptNeoNames =
    [
        ("model.embed_tokens.", Gpt2Prefix + "wte."),
        ("model.embed_positions.", Gpt2Prefix + "wpe."),
        ("model.layers.", Gpt2Prefix + "h."),
        ("input_layernorm.", "ln_1."),
        ("self_attn.o_proj.", "attn.attention.out_proj."),
        ("self_attn.", "attn.attention."),
        ("post_attention_layernorm.", "ln_2."),
        ("mlp.up_proj.", "mlp.c_fc."),
        ("mlp.down_proj.", "mlp.c_proj."),
        ("model.norm.", Gpt2Prefix + "ln_f."),
    ];

    /// <summary>Begins the names of GPT-2's and GPT-Neo's weights, but for the head; the files of the first release leave it out.</summary>
    internal const string Gpt2Prefix = "transformer.";

    /// <summary>Every tensor, in the order of the decoder's weights.</summary>
    public static IReadOnlyList<StoredTensor> Of(TransformerConfig config) =>
        Of(config, new DecoderLayout(config).Parameters);

    /// <summary>As <see cref="Of(TransformerConfig)"/>, for a plan that is there already.</summary>
    internal static IReadOnlyList<StoredTensor> Of(TransformerConfig config, ParameterLayout layout)
    {
        if (ModelFamilies.Of(config) is ModelFamily.GptNeox or ModelFamily.Gpt2)
        {
            return [.. layout.Blocks.Select(block => Fused(config, block))];
        }

        return
        [
            .. layout.Slices.Select(slice => new StoredTensor(
                Theirs(config, slice.Name),
                slice.Shape,
                slice.Offset,
                StoredForm.AsIs,
                config.HeadDim
            )),
        ];
    }

    /// <summary>Name of the embedding.</summary>
    internal static string EmbeddingName(TransformerConfig config) => Theirs(config, "model.embed_tokens.weight");

    /// <summary>Name of the output head, whether the files hold one or not.</summary>
    internal static string HeadName(TransformerConfig config) => Theirs(config, "lm_head.weight");

    private static string Theirs(TransformerConfig config, string ours)
    {
        (string Ours, string Theirs)[] names = ModelFamilies.Of(config) switch
        {
            ModelFamily.GptNeox => GptNeoxNames,
            ModelFamily.Gpt2 => Gpt2Names,
            ModelFamily.Phi => PhiNames,
            ModelFamily.Opt => OptNames,
            ModelFamily.GptNeo => GptNeoNames,
            _ => [],
        };
        return names.Aggregate(ours, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));
    }

    // GPT-NeoX and GPT-2 keep query, key and value as one tensor; every other block of theirs is one weight.
    private static StoredTensor Fused(TransformerConfig config, ParameterBlock block)
    {
        string ours = block.Slices[0].Name;
        bool transposed =
            config.LearnedPositions && block.Shape.Length == 2 && ours.Contains(".layers.", StringComparison.Ordinal);
        var stored = new StoredTensor(Theirs(config, ours), block.Shape, block.Offset, StoredForm.AsIs, config.HeadDim);
        if (transposed)
        {
            return stored with { Shape = [block.Shape[1], block.Shape[0]], Form = StoredForm.Transposed };
        }

        if (!config.LearnedPositions && ours.Contains(Query, StringComparison.Ordinal))
        {
            return stored with { Form = StoredForm.HeadByHead };
        }

        return stored;
    }
}
