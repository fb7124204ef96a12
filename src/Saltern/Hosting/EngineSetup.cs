using System.Globalization;
using Saltern.Distributed;
using Saltern.Files;
using Saltern.Numerics;
using Saltern.Runs;

namespace Saltern.Hosting;

/// <summary>Makes libtorch ready for use: the C runtime's memory, waiting threads, the number of threads, the faster library of products.</summary>
/// <remarks>To be made before anything touches a tensor; <see cref="Salt"/> makes it at its first call. Without it results are the same to rounding, and steps are slower (docs/speed.md).</remarks>
/// <param name="Threads">Threads to compute with unless a recipe says otherwise.</param>
/// <param name="Description">What was set, in one line for the start of a log.</param>
public sealed record EngineSetup(int Threads, string Description)
{
    /// <summary>Threads and library of products, without what was set in the C runtime.</summary>
    internal string Computing { get; init; } = Description;

    // What libgomp and MKL read; a user who sets one wants it.
    private static readonly string[] ThreadVariables = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"];

    // Of 3,900 MiB a small training had enough, of 2,900 libtorch could not be mapped.
    private const long FewestAddresses = 3_000L << 20;

    private const string PeakVariable = "SALTERN_MATMUL_GFLOPS";

    /// <summary>Speed of matrix products that the user says is this machine's, FLOP/s; null where each start is to measure it, which takes two seconds of a slow core.</summary>
    /// <exception cref="ConfigurationException">It is no positive number.</exception>
    internal static double? KnownPeak =>
        Environment.GetEnvironmentVariable(PeakVariable) switch
        {
            null or "" => null,
            string text
                when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double speed)
                    && speed > 0
                    && double.IsFinite(speed) => speed * 1e9,
            string text => throw new ConfigurationException(
                $"{PeakVariable} = {text} is no speed. Give GFLOP/s, such as 50, or unset it to have it measured."
            ),
        };

    /// <summary>Sets up the C runtime, threads and products unless the user has, by the variables that these libraries read.</summary>
    /// <returns>What was set. A later call sets it again, with the cores that are free by then.</returns>
    /// <exception cref="ConfigurationException">There is no libtorch, or no room to load it.</exception>
    public static EngineSetup Prepare() => Prepare(null, null);

    /// <summary>As the other, for one of several ranks.</summary>
    /// <param name="cores">The rank's threads; null for a process that runs alone, which takes the cores that are free.</param>
    /// <param name="ranks">All take rank 0's library of products; null for a process that runs alone.</param>
    internal static EngineSetup Prepare(RankCores? cores, ICommunicator? ranks)
    {
        if (SystemLimits.Memory() is (long bytes, "ulimit -v") && bytes < FewestAddresses)
        {
            throw new ConfigurationException(
                $"libtorch cannot be loaded: this process may have {bytes >> 20:N0} MiB of address space (ulimit -v), "
                    + "and libtorch with the runtime takes some 4,000. Raise the limit."
            );
        }

        bool userTuned = NativeRuntime.AllocatorVariables.Any(name =>
            Environment.GetEnvironmentVariable(name) is not null
        );
        string runtime = NativeRuntime.Configure(tuneAllocator: !userTuned);
        string whose = cores is null ? "free" : "this rank's";
        int threads = 0;
        string? variable = ThreadVariables.FirstOrDefault(name =>
            int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out threads)
            && threads > 0
        );
        if (variable is null)
        {
            threads = cores?.Threads ?? FreeCores.Count();
        }

        string why = variable ?? $"{whose} of {Environment.ProcessorCount} cores";
        try
        {
            TorchSharp.torch.set_num_threads(threads);
        }
        catch (Exception e) when (e is NotSupportedException or DllNotFoundException or TypeInitializationException)
        {
            // TorchSharp's own message speaks to programmers who forgot a package.
            throw new ConfigurationException(
                "libtorch is not found. A program brings it by the package libtorch-cpu-linux-x64 or one for CUDA; "
                    + "a build without (SalternLibtorch=none) takes that of LD_LIBRARY_PATH, "
                    + "the folder 'lib' of a PyTorch installation, as docs/cuda.md says."
            );
        }

        MatrixProduct.Use(ComputePlan.AgreeOnProducts(MatrixProduct.Fastest(), ranks));
        string computing =
            $"{threads} {(threads == 1 ? "thread" : "threads")} ({why}); products: {MatrixProduct.Library.Words()}";
        return new EngineSetup(threads, $"{runtime}; {computing}") { Computing = computing };
    }
}
