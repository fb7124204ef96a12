using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Saltern.Distributed;

/// <summary>Which library a name of <c>LibraryImport</c> stands for where that is known only at run time: an assembly has one resolver, and here it is.</summary>
internal static partial class ImportedLibraries
{
    private const int ResolveNow = 2;
    private const int ShareSymbols = 0x100; // dlfcn.h: RTLD_NOW, RTLD_GLOBAL
    private static readonly ConcurrentDictionary<string, nint> Handles = new();

    static ImportedLibraries() =>
        NativeLibrary.SetDllImportResolver(
            Assembly.GetExecutingAssembly(),
            (name, _, _) => Handles.GetValueOrDefault(name)
        );

    /// <summary>Lets a name stand for a library from now on.</summary>
    public static void Use(string name, nint handle) => Handles[name] = handle;

    /// <summary>Loads a library with its symbols visible to the plug-ins that it loads, which .NET's own loading does not do; 0 where it is not there.</summary>
    public static nint Open(string name) => Open(name, ResolveNow | ShareSymbols);

    [LibraryImport("libdl.so.2", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Open(string name, int flags);
}
