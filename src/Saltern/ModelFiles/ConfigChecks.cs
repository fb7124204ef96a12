using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Saltern.Configuration;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>Holds a shape from a file to the limits that a recipe's would be held to.</summary>
internal static class ConfigChecks
{
    private const long MostParameters = 1L << 42; // 16 TiB of float32: no file of a damaged size asks for memory

    /// <summary>Everything that is wrong with a shape.</summary>
    public static IEnumerable<string> Of(TransformerConfig config)
    {
        string[] problems =
        [
            .. Limits(config),
            .. config.RopeScaling is RopeScalingConfig scaling ? Limits(scaling).Concat(Sentences(scaling)) : [],
        ];
        if (problems.Length > 0)
        {
            return problems;
        }

        (string Key, int Value)[] sizes =
        [
            ("vocab_size", config.VocabSize),
            ("max_position_embeddings", config.MaxPositionEmbeddings),
            ("intermediate_size", config.IntermediateSize),
            ("hidden_size", config.HiddenSize),
            ("num_hidden_layers", config.NumHiddenLayers),
            ("num_attention_heads", config.NumAttentionHeads),
        ];
        problems =
        [
            .. sizes.Where(size => size.Value == 0).Select(size => $"{size.Key} = 0 must be positive."),
            .. Sentences(config),
        ];
        if (problems.Length > 0)
        {
            return problems;
        }

        double parameters = ModelFlops.Parameters(config.Resolve(config.VocabSize, config.MaxPositionEmbeddings));
        if (parameters <= MostParameters)
        {
            return [];
        }

        return [$"It would have {parameters:0.###e+0} parameters."];
    }

    private static IEnumerable<string> Sentences(IValidated section) =>
        section.Validate().Select(problem => $"{problem.Key} {problem.Message}");

    private static IEnumerable<string> Limits(object section) =>
        from property in section.GetType().GetProperties()
        from limit in property.GetCustomAttributes<RangeAttribute>()
        let value = property.GetValue(section)
        where !limit.IsValid(value)
        select $"{ValueShape.NameOf(property)} = {value} is outside [{limit.Minimum}, {limit.Maximum}].";
}
