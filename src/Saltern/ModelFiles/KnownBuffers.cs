using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>Tensors that older files hold beside the weights, and that follow from the config: causal masks, the number that stands for −∞ in them, rotary frequencies.</summary>
internal static class KnownBuffers
{
    private const double FrequencyTolerance = 0.01; // files in float16 hold them with 11 bits; another base differs by far more

    /// <summary>Whether a tensor is one of them; it may then be skipped.</summary>
    /// <param name="name">A tensor that is no weight.</param>
    /// <exception cref="DataFormatException">It is one, but says something else than the config.</exception>
    public static bool Check(WeightFiles files, string name, TransformerConfig config)
    {
        // model.layers.3.self_attn.rotary_emb.inv_freq, gpt_neox.layers.3.attention.bias, (transformer.)h.3.attn.masked_bias
        string[] parts = name.Split('.');
        int layer = Array.FindIndex(parts, part => part is "layers" or "h") + 1;
        if (
            layer == 0
            || layer == parts.Length
            || !int.TryParse(parts[layer], out int index)
            || index < 0
            || index >= config.NumHiddenLayers
        )
        {
            return false;
        }

        switch (string.Join('.', parts[(layer + 1)..]))
        {
            case "self_attn.rotary_emb.inv_freq" or "attention.rotary_emb.inv_freq" when !config.LearnedPositions:
                CheckFrequencies(files, name, config);
                return true;
            case "attention.bias"
            or "attention.masked_bias" when config.LayerNormEps is not null && !config.LearnedPositions:
            case "attn.bias"
            or "attn.masked_bias"
            or "attn.attention.bias"
            or "attn.attention.masked_bias" when config.LearnedPositions:
                CheckMask(files, name, config);
                return true;
            default:
                return false;
        }
    }

    private static void CheckFrequencies(WeightFiles files, string name, TransformerConfig config)
    {
        double[] expected = RotaryTable.Frequencies(config);
        if (!files.Entries[name].Shape.SequenceEqual([expected.Length]))
        {
            throw Wrong(files, name, $"[{expected.Length}]");
        }

        files.Read(
            name,
            (at, values) =>
            {
                for (int i = 0; i < values.Length; i++)
                {
                    double value = expected[at + i];
                    if (!(Math.Abs(values.Span[i] - value) <= FrequencyTolerance * value))
                    {
                        throw new DataFormatException(
                            $"{files.PathOf(name)}: {name} has the frequency {values.Span[i]} at {at + i}, "
                                + $"but config.json gives {value}. One of the two is wrong."
                        );
                    }
                }
            }
        );
    }

    // A causal mask of all positions, or one number.
    private static void CheckMask(WeightFiles files, string name, TransformerConfig config)
    {
        int positions = config.MaxPositionEmbeddings;
        long[] shape = files.Entries[name].Shape;
        bool isMask = shape.SequenceEqual([1, 1, positions, positions]);
        bool isNumber = shape.Length <= 1 && shape.All(length => length == 1);
        if (!isMask && !isNumber)
        {
            throw Wrong(files, name, $"[1, 1, {positions}, {positions}] or one number");
        }
    }

    private static DataFormatException Wrong(WeightFiles files, string name, string expected) =>
        new($"{files.PathOf(name)}: {name} is [{string.Join(", ", files.Entries[name].Shape)}], expected {expected}.");
}
