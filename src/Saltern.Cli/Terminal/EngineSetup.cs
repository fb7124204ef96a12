using Saltern.Engine;

namespace Saltern.Cli.Terminal;

/// <summary>Makes libtorch ready for use; to be called before anything touches a tensor.</summary>
public static class EngineSetup
{
    /// <summary>Sets up the C runtime unless the user has, and returns one line that says so.</summary>
    public static string Prepare()
    {
        bool userTuned = NativeRuntime.AllocatorVariables.Any(name => Environment.GetEnvironmentVariable(name) is not null);
        return NativeRuntime.Configure(tuneAllocator: !userTuned);
    }
}
