using System.Diagnostics;

namespace Saltern.Cli.Tests;

/// <summary>Waits for what another process does.</summary>
internal static class Wait
{
    /// <summary>How long a program may take: a limit for hangs, which a busy machine does not reach.</summary>
    public static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(20);

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <summary>Polls until the condition holds.</summary>
    public static void Until(Func<bool> condition, string otherwise)
    {
        long begun = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(begun) < Longest, otherwise);
            Thread.Sleep(5);
        }
    }
}
