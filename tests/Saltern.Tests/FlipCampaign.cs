using System.Diagnostics;
using System.Globalization;

namespace Saltern.Tests;

/// <summary>Damages good files, one byte or one cut at a time, and holds their reader to its word: the damage is noticed, the file named, and nothing left behind.</summary>
/// <remarks><c>SALTERN_FLIPS</c> sets the flips of each kind of file, <c>SALTERN_FLIP_SEED</c> the places. With it truncations are at 100 offsets, in the suite at a dozen, or at all where a file is shorter.</remarks>
internal sealed class FlipCampaign
{
    private const int FlipsInTheSuite = 8;
    private const int CutsInTheSuite = 12;
    private const int AllCuts = 100;
    private const int FirstSeed = 20_261_126;
    private readonly int _flips = Setting("SALTERN_FLIPS", FlipsInTheSuite);
    private readonly int _cuts = Environment.GetEnvironmentVariable("SALTERN_FLIPS") is { Length: > 0 }
        ? AllCuts
        : CutsInTheSuite;
    private readonly Random _random = new(Setting("SALTERN_FLIP_SEED", FirstSeed));
    private readonly long _start = Stopwatch.GetTimestamp();
    private int _flipped;
    private int _cut;
    private int _kinds;

    /// <summary>Damages one file again and again.</summary>
    /// <param name="path">A good file; it is as it was afterwards.</param>
    /// <param name="read">Reads it as the program does. Throws a <see cref="SalternException"/> or returns what it says of the damage; null where it saw none.</param>
    /// <param name="keepsTime">Whether the file's time of change stays as it was, as when a disk forgets.</param>
    public void Damage(string path, Func<string?> read, bool keepsTime = false)
    {
        byte[] good = File.ReadAllBytes(path);
        DateTime time = File.GetLastWriteTimeUtc(path);
        Assert.True(Problem(read) is null, $"{path} is refused as it is: {Problem(read)}");
        string[] entries = Entries(path);
        for (int i = 0; i < _flips; i++, _flipped++)
        {
            byte[] bad = [.. good];
            int at = _random.Next(bad.Length);
            bad[at] ^= (byte)(1 + _random.Next(255));
            Try(bad, $"byte {at} of {good.Length} changed from {good[at]:x2} to {bad[at]:x2}");
        }

        foreach (
            int length in good.Length <= _cuts
                ? Enumerable.Range(0, good.Length)
                : Enumerable.Range(0, _cuts).Select(i => i == 0 ? good.Length - 1 : _random.Next(good.Length))
        )
        {
            Try(good[..length], $"cut from {good.Length} to {length} bytes");
            _cut++;
        }

        _kinds++;
        Write(good);
        Assert.True(Problem(read) is null, $"{path}: it is not as it was");

        void Try(byte[] bad, string what)
        {
            Write(bad);
            string? problem = Problem(read);
            Assert.True(problem is not null, $"{path}: {what} and nothing was noticed");
            Assert.True(
                problem.Contains(Path.GetFileName(path), StringComparison.Ordinal),
                $"{path}: {what}, and the file is not named: {problem}"
            );
            Assert.Equal(entries, Entries(path));
        }

        void Write(byte[] bytes)
        {
            File.WriteAllBytes(path, bytes);
            if (keepsTime)
            {
                File.SetLastWriteTimeUtc(path, time);
            }
        }
    }

    /// <summary>Prints what was done.</summary>
    public void Report(string what) =>
        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{what}: {_flipped} flips and {_cut} cuts in {_kinds} kinds of file, all noticed and named, "
                    + $"in {Stopwatch.GetElapsedTime(_start).TotalSeconds:0.0} s"
            )
        );

    private static string? Problem(Func<string?> read)
    {
        try
        {
            return read();
        }
        catch (SalternException e)
        {
            return e.Message;
        }
    }

    private static string[] Entries(string path) =>
        [
            .. Directory
                .EnumerateFileSystemEntries(Path.GetDirectoryName(path)!)
                .Where(entry => !entry.EndsWith("dataset.verified.json", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];

    private static int Setting(string name, int otherwise)
    {
        if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } text)
        {
            return int.Parse(text, CultureInfo.InvariantCulture);
        }

        return otherwise;
    }
}
