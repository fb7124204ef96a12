namespace Saltern.Numerics;

/// <summary>What a user lets oneDNN use of the processor: <c>ONEDNN_MAX_CPU_ISA</c>. Asked for more, its products end the process.</summary>
internal static class OneDnnLimit
{
    // In oneDNN's order.
    private static readonly string[] Sets =
    [
        "SSE41",
        "AVX",
        "AVX2",
        "AVX2_VNNI",
        "AVX2_VNNI_2",
        "AVX512_CORE",
        "AVX512_CORE_VNNI",
        "AVX512_CORE_BF16",
        "AVX512_CORE_FP16",
        "AVX512_CORE_AMX",
        "AVX512_CORE_AMX_FP16",
    ];

    private static readonly string[] Variables = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"];

    /// <summary>Whether float32's products with AVX-512 are allowed.</summary>
    public static bool AllowsAvx512 { get; } = Allows("AVX512_CORE");

    /// <summary>Whether bfloat16's instructions are.</summary>
    public static bool AllowsBFloat16 { get; } = Allows("AVX512_CORE_BF16");

    // A word that is no set, such as DEFAULT, limits nothing.
    private static bool Allows(string needed)
    {
        string limit =
            Variables.Select(Environment.GetEnvironmentVariable).FirstOrDefault(text => !string.IsNullOrEmpty(text))
            ?? "";
        int most = Array.FindIndex(Sets, set => set.Equals(limit, StringComparison.OrdinalIgnoreCase));
        return most < 0 || most >= Array.IndexOf(Sets, needed);
    }
}
