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

    /// <summary>Begins the names of GPT-2's weights, but for the head; the files of the first release leave it out.</summary>
    internal const string Gpt2Prefix = "transformer.";

    /// <summary>Every tensor, in the order of the decoder's weights.</summary>
    public static IReadOnlyList<StoredTensor> Of(TransformerConfig config) =>
        Of(config, new DecoderLayout(config).Parameters);

    /// <summary>As <see cref="Of(TransformerConfig)"/>, for a plan that is there already.</summary>
    internal static IReadOnlyList<StoredTensor> Of(TransformerConfig config, ParameterLayout layout)
    {
        if (config.LayerNormEps is null)
        {
            return
            [
                .. layout.Slices.Select(slice => new StoredTensor(
                    slice.Name,
                    slice.Shape,
                    slice.Offset,
                    StoredForm.AsIs,
                    config.HeadDim
                )),
            ];
        }

        return [.. layout.Blocks.Select(block => Fused(config, block))];
    }

    /// <summary>Name of the output head, whether the files hold one or not.</summary>
    internal static string HeadName(TransformerConfig config) => Theirs(config, "lm_head.weight");

    private static string Theirs(TransformerConfig config, string ours)
    {
        if (config.LayerNormEps is null)
        {
            return ours;
        }

        return (config.LearnedPositions ? Gpt2Names : GptNeoxNames).Aggregate(
            ours,
            (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal)
        );
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
