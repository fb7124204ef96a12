using System.Reflection;
using TorchSharp;

namespace Saltern.Training;

/// <summary>What a result says of the machine and the software that made it.</summary>
public static class MachineDescription
{
    /// <summary>Name of the processor; null where Linux does not say.</summary>
    public static string? Processor()
    {
        const string CpuInfo = "/proc/cpuinfo", Key = "model name";
        return File.Exists(CpuInfo) ? File.ReadLines(CpuInfo).FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal))?.Split(':', 2)[1].Trim() : null;
    }

    /// <summary>Versions by name.</summary>
    public static IReadOnlyDictionary<string, string> Versions() => new Dictionary<string, string>
    {
        ["saltern"] = Version(typeof(MachineDescription)),
        ["torchsharp"] = Version(typeof(torch)),
        ["libtorch"] = torch.__version__,
        ["dotnet"] = Environment.Version.ToString(),
    };

    private static string Version(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? type.Assembly.GetName().Version?.ToString() ?? "unknown";
}
