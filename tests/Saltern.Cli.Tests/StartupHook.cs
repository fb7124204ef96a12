using System.Diagnostics.CodeAnalysis;
using System.Globalization;

// The runtime finds it by this name, outside of any namespace (docs/design/features/host-startup-hook.md of dotnet/runtime).
[SuppressMessage("Design", "CA1050:Declare types in namespaces", Justification = "The runtime's name for it.")]
internal static class StartupHook
{
    internal const string FolderVariable = "SALTERN_TEST_MAPS";

    public static void Initialize()
    {
        string? folder = Environment.GetEnvironmentVariable(FolderVariable);
        if (folder is not null)
        {
            string file = Path.Combine(folder, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            AppDomain.CurrentDomain.ProcessExit += (_, _) =>
                File.WriteAllText(file, File.ReadAllText("/proc/self/maps"));
        }
    }
}
