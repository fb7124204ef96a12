namespace Saltern.ModelFiles;

/// <summary>The names by which users and files call a <see cref="WeightType"/>.</summary>
internal static class WeightTypes
{
    private static readonly (WeightType Type, string Name, string Torch)[] All =
    [
        (WeightType.F32, "f32", "float32"),
        (WeightType.BF16, "bf16", "bfloat16"),
        (WeightType.F16, "f16", "float16"),
        (WeightType.Q8, "q8_0", ""),
    ];

    /// <summary>Names on the command line.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(type => type.Name)];

    /// <summary>Name on the command line.</summary>
    public static string NameOf(WeightType type) => All.Single(entry => entry.Type == type).Name;

    /// <summary>Type of a name.</summary>
    /// <exception cref="ConfigurationException">There is no such type.</exception>
    public static WeightType Parse(string name)
    {
        if (All.FirstOrDefault(entry => entry.Name == name) is { Name: not null } found)
        {
            return found.Type;
        }

        throw new ConfigurationException($"'{name}' is no type of weights. Allowed: {string.Join(", ", Names)}.");
    }

    /// <summary>Name in a config.json; empty for types that only GGUF has.</summary>
    internal static string TorchNameOf(WeightType type) => All.Single(entry => entry.Type == type).Torch;
}
