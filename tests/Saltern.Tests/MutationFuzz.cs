using System.Diagnostics;
using System.Globalization;

namespace Saltern.Tests;

/// <summary>Changes good files at random and holds a reader to its word: a <see cref="SalternException"/> or a result, soon and in little memory.</summary>
/// <remarks><c>SALTERN_FUZZ_CASES</c> (a million for the long form) and <c>SALTERN_FUZZ_SEED</c> set what the suite keeps short and repeatable.</remarks>
internal sealed class MutationFuzz
{
    private const int CasesInTheSuite = 5_000;

    // Processor time: a case that the machine sets aside takes none.
    private static readonly TimeSpan LongestCase = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(30);

    /// <summary>Whether more cases were asked for than the suite has.</summary>
    public static bool IsLong { get; } = Setting("SALTERN_FUZZ_CASES", CasesInTheSuite) > CasesInTheSuite;

    private readonly byte[][] _samples;
    private readonly Random _random;
    private readonly int _cases;
    private readonly int _seed;

    /// <summary>Takes the good files.</summary>
    public MutationFuzz(params byte[][] samples)
    {
        _samples = samples;
        _cases = Setting("SALTERN_FUZZ_CASES", CasesInTheSuite);
        _seed = Setting("SALTERN_FUZZ_SEED", 20_261_125);
        _random = new Random(_seed);
    }

    /// <summary>Reads changed files until the cases or the time are used up, and prints what came of it.</summary>
    /// <param name="read">The reader.</param>
    /// <param name="mend">Makes a changed file whole again on its surface (a length, say), so that half of the cases get further in; null for nothing.</param>
    /// <param name="mostBytes">Memory that a case may ask for besides 64 times its file's size.</param>
    /// <param name="share">Share of the cases, for readers that are slow.</param>
    public void Run(Action<byte[]> read, Action<byte[]>? mend = null, long mostBytes = 1 << 20, double share = 1)
    {
        int refused = 0;
        int done = 0;
        int cases = (int)(_cases * share);
        long mostAllocated = 0;
        long start = Stopwatch.GetTimestamp();
        for (; done < cases && Stopwatch.GetElapsedTime(start) < LongestRun; done++)
        {
            byte[] file = ByteMutation.Change(_samples[_random.Next(_samples.Length)], _random);
            if (mend is not null && _random.Next(2) == 0)
            {
                mend(file);
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            TimeSpan begun = Environment.CpuUsage.TotalTime;
            try
            {
                read(file);
            }
            catch (SalternException)
            {
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail(
                    $"Seed {_seed}, case {done}: {e.GetType()} instead of an error of our "
                        + $"own.{Environment.NewLine}{Convert.ToBase64String(file)}{Environment.NewLine}{e}"
                );
            }

            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            mostAllocated = Math.Max(mostAllocated, allocated);
            Assert.True(
                allocated <= mostBytes + (64L * file.Length),
                $"Seed {_seed}, case {done}: {allocated} bytes of memory for a file "
                    + $"of {file.Length}.{Environment.NewLine}{Convert.ToBase64String(file)}"
            );
            TimeSpan took = Environment.CpuUsage.TotalTime - begun;
            Assert.True(
                took < LongestCase,
                $"Seed {_seed}, case {done} took {took}.{Environment.NewLine}{Convert.ToBase64String(file)}"
            );
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{done} cases with seed {_seed} in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s: {refused} refused by "
                    + $"name, {done - refused} still whole; at most {mostAllocated / 1024} KiB for a case"
            )
        );
        // a fuzz that everything passes would prove nothing
        Assert.True(refused > done / 10, "The changes break too little to say anything.");
    }

    private static int Setting(string name, int otherwise)
    {
        if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } text)
        {
            return int.Parse(text, CultureInfo.InvariantCulture);
        }

        return otherwise;
    }
}
