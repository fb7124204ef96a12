using System.Reflection;
using Saltern.Numerics;
using Saltern.RunFiles;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>What a result says of the machine and the software that made it.</summary>
internal static class MachineDescription
{
    /// <summary>Name of the processor; null where Linux does not say.</summary>
    public static string? Processor()
    {
        const string CpuInfo = "/proc/cpuinfo";
        const string Key = "model name";
        if (!File.Exists(CpuInfo))
        {
            return null;
        }

        return LineOf(CpuInfo, Key)?.Split(':', 2)[1].Trim();
    }

    /// <summary>Name of the first NVIDIA GPU; null where the driver does not say.</summary>
    public static string? Accelerator()
    {
        const string Folder = "/proc/driver/nvidia/gpus";
        const string Key = "Model:";
        if (!Directory.Exists(Folder))
        {
            return null;
        }

        string? file = Directory
            .EnumerateFiles(Folder, "information", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .FirstOrDefault();
        return file is null ? null : LineOf(file, Key)?[Key.Length..].Trim();
    }

    /// <summary>What a result says of the machine that made it.</summary>
    /// <param name="compute">Where and with what products the run computed.</param>
    /// <param name="products">Library of its large products on the CPU.</param>
    /// <param name="peak">Speed of matrix products, FLOP/s.</param>
    public static RunMachine Of(ComputePlan compute, int threads, ProductLibrary products, double peak)
    {
        var machine = new RunMachine
        {
            Processor = Processor(),
            Cores = Environment.ProcessorCount,
            Threads = threads,
            Products = compute.ProductsOf(products).ToString(),
            Precision = compute.ProductWord,
            MatmulPeakGflops = peak / 1e9,
        };
        if (compute.IsOnGpu)
        {
            return machine with { Processor = Accelerator() ?? "CUDA device", Products = MatrixProduct.OfTheGpu };
        }

        return machine;
    }

    /// <summary>Versions by name.</summary>
    public static IReadOnlyDictionary<string, string> Versions() =>
        new Dictionary<string, string>
        {
            ["saltern"] = Version(typeof(MachineDescription)),
            ["torchsharp"] = Version(typeof(torch)),
            ["libtorch"] = LibtorchVersion.Loaded(),
            ["dotnet"] = Environment.Version.ToString(),
        };

    private static string? LineOf(string file, string key) =>
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));

    private static string Version(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? type.Assembly.GetName().Version?.ToString()
        ?? "unknown";
}
