using System.Runtime.InteropServices;

namespace Saltern.Distributed;

/// <summary>The NCCL library of this process: found, loaded, and with every function that is used.</summary>
internal static class NcclLibrary
{
    /// <summary>What a user sets to name the library.</summary>
    public const string PathVariable = "SALTERN_NCCL_LIBRARY";

    private const string FileName = "libnccl.so.2";

    /// <summary>Loads the library.</summary>
    /// <param name="path">What the user named; null for the system's.</param>
    /// <returns>The name that it was loaded by.</returns>
    /// <exception cref="ConfigurationException">There is none, or it lacks functions.</exception>
    public static string Load(string? path)
    {
        string name = path ?? FileName;
        nint handle = ImportedLibraries.Open(name);
        if (handle == 0)
        {
            throw NotLoaded(path);
        }

        string[] missing =
        [
            .. NcclFunctions.Names.Where(function => !NativeLibrary.TryGetExport(handle, function, out _)),
        ];
        if (missing.Length > 0)
        {
            throw new ConfigurationException(
                $"{name} is not NCCL 2, or too old a version of it: it has no {string.Join(", ", missing)}. "
                    + $"Install NVIDIA's NCCL (libnccl2), or name the library in {PathVariable}."
            );
        }

        ImportedLibraries.Use(NcclFunctions.Library, handle);
        return name;
    }

    private static ConfigurationException NotLoaded(string? path)
    {
        if (path is null)
        {
            return new ConfigurationException(
                $"{FileName} is not found, which ranks with GPUs exchange gradients by. "
                    + $"Install NVIDIA's NCCL (libnccl2), or name the library in {PathVariable}."
            );
        }

        return new ConfigurationException(
            $"{PathVariable} = {path} cannot be loaded. "
                + $"Give the path of NVIDIA's NCCL, such as /usr/lib/x86_64-linux-gnu/{FileName}."
        );
    }
}
