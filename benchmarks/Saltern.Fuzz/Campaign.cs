using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Saltern.Tests;

namespace Saltern.Fuzz;

/// <summary>Changes inputs of one reader, keeps those that reach code that none before them reached, and stops at nothing but the time.</summary>
/// <param name="reader">What is read.</param>
/// <param name="folder">Where inputs (corpus/), findings (findings/) and the input under way (running) are.</param>
/// <param name="seed">Decides the changes.</param>
internal sealed class Campaign(Reader reader, string folder, int seed)
{
    private const int MostFindings = 20; // of one kind of error each

    // Processor time of the process: an input that the machine sets aside takes none.
    private static readonly TimeSpan LongestCase = TimeSpan.FromSeconds(5);

    private readonly EdgeMap _map = new();
    private readonly Random _random = new(seed);
    private readonly List<byte[]> _corpus = [];
    private readonly HashSet<string> _kinds = [];
    private readonly string _running = Path.Combine(folder, "running");
    private readonly int _largest = Math.Max(1 << 16, 2 * reader.Samples.Max(sample => sample.Length));
    private TimeSpan _begun;
    private int _isRunning;

    /// <summary>Inputs read so far.</summary>
    public long Inputs { get; private set; }

    /// <summary>Reads what is kept, then changed inputs, until the time is over.</summary>
    /// <returns>Findings.</returns>
    public int Run(TimeSpan time)
    {
        Directory.CreateDirectory(Path.Combine(folder, "corpus"));
        Directory.CreateDirectory(Path.Combine(folder, "findings"));
        if (File.Exists(_running))
        {
            // The process that read it is gone: a stack that was used up, or a kill.
            Report(File.ReadAllBytes(_running), "abort", "the process that read it ended");
            File.Delete(_running);
        }

        using Timer watch = new(_ => Watch(), null, LongestCase, TimeSpan.FromSeconds(1));
        long start = Stopwatch.GetTimestamp();
        foreach (byte[] sample in reader.Samples.Concat(Kept()))
        {
            if (Read(sample) || _corpus.Count == 0)
            {
                _corpus.Add(sample);
            }
        }

        (int edges, long kept) = (_map.Edges, _corpus.Count);
        while (Stopwatch.GetElapsedTime(start) < time)
        {
            byte[] input = Next();
            if (input.Length <= _largest && Read(input))
            {
                _corpus.Add(input);
                File.WriteAllBytes(Path.Combine(folder, "corpus", Name(input)), input);
            }
        }

        File.Delete(_running);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{reader.Name}: {Inputs} inputs in {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s with seed {seed}, "
                    + $"{edges} edges with {kept} inputs at the beginning, {_map.Edges} with {_corpus.Count} at the end, "
                    + $"{_kinds.Count} findings"
            )
        );
        return _kinds.Count;
    }

    /// <summary>Reads one input and says what came of it.</summary>
    /// <returns>Whether it is a finding.</returns>
    public bool Replay(byte[] input)
    {
        using Timer watch = new(_ => Watch(), null, LongestCase, TimeSpan.FromSeconds(1));
        Read(input);
        Console.WriteLine(_kinds.Count == 0 ? "read, or refused by an error of our own" : "a finding");
        return _kinds.Count > 0;
    }

    private static string Name(byte[] input) => Convert.ToHexStringLower(SHA256.HashData(input))[..16];

    // Which files are there must not depend on the order that a disk names them in.
    private byte[][] Kept() =>
        [.. Directory.GetFiles(Path.Combine(folder, "corpus")).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    // Half of the time one of the last that were kept; now and then the beginning of one with the end of another.
    private byte[] Next()
    {
        byte[] input = Pick();
        if (_random.Next(8) == 0)
        {
            byte[] other = Pick();
            input =
            [
                .. input.AsSpan(0, _random.Next(input.Length + 1)),
                .. other.AsSpan(_random.Next(other.Length + 1)),
            ];
        }

        input = ByteMutation.Change(input, _random);
        if (reader.Mend is not null && _random.Next(4) > 0)
        {
            reader.Mend(input);
        }

        return input;
    }

    private byte[] Pick()
    {
        int last = Math.Min(_corpus.Count, 64);
        int at = _random.Next(2) == 0 ? _corpus.Count - 1 - _random.Next(last) : _random.Next(_corpus.Count);
        return _corpus[at];
    }

    // True where it took a step that was not known.
    private bool Read(byte[] input)
    {
        Inputs++;
        File.WriteAllBytes(_running, input);
        _begun = Environment.CpuUsage.TotalTime;
        Volatile.Write(ref _isRunning, 1);
        EdgeMap.Clear();
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            reader.Read(input);
        }
        catch (SalternException)
        {
            // As it should be.
        }
        catch (Exception e)
        {
            string place =
                e.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("Saltern", StringComparison.Ordinal))
                ?? "";
            Report(input, $"{e.GetType().Name} {place.Trim()}", e.ToString());
        }

        Volatile.Write(ref _isRunning, 0);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > reader.MostBytes + (256L * input.Length))
        {
            Report(input, "memory", $"{allocated} bytes of memory for an input of {input.Length}");
        }

        return _map.Learn();
    }

    private void Watch()
    {
        if (Volatile.Read(ref _isRunning) == 1 && Environment.CpuUsage.TotalTime - _begun > LongestCase)
        {
            // It cannot be stopped but with the process.
            Report(File.ReadAllBytes(_running), "time", $"more than {LongestCase.TotalSeconds} s of processor time");
            File.Delete(_running);
            Environment.Exit(1);
        }
    }

    private void Report(byte[] input, string kind, string what)
    {
        if (_kinds.Count >= MostFindings || !_kinds.Add(kind))
        {
            return;
        }

        string path = Path.Combine(folder, "findings", Name(input));
        File.WriteAllBytes(path, input);
        Console.WriteLine($"{reader.Name}: {kind}{Environment.NewLine}{what}");
        Console.WriteLine($"replay: just fuzz {reader.Name} --replay {path}");
    }
}
