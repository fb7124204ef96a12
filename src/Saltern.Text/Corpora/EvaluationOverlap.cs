// Which documents hold text that a model will be measured on (contamination), by runs of words that both have.
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Saltern.Corpora;

/// <summary>Finds documents that share a run of words with evaluation records: GPT-3's rule (arXiv:2005.14165, appendix C) with runs of 13 words, of whole texts from 8 words on.</summary>
/// <remarks>
/// A word is a run of letters and digits, in lower case; all between them is the same. Every text of a record counts, so that no prompt's own words stand between. Runs are told by
/// hashes of 64 bits: among 10⁷ runs of the evaluation, 10⁹ words of text are held for another run with a probability of 10⁻³. Memory: some 30 bytes for each of them.
/// </remarks>
internal sealed class EvaluationOverlap
{
    /// <summary>Words of a run; shorter texts are looked for as wholes.</summary>
    public const int LongestRun = 13;

    /// <summary>Words that a text must have to be looked for at all: shorter ones occur everywhere.</summary>
    public const int ShortestRun = 8;

    // About two gigabytes.
    private const int MostRuns = 60_000_000;

    private const ulong Base = 0x9E3779B97F4A7C15;

    private readonly Dictionary<ulong, int> _sets = []; // of each run, the first evaluation that has it
    private readonly List<string> _names = [];
    private readonly List<long> _tooShort = [];
    private readonly SortedSet<int> _lengths = [];
    private readonly IncrementalHash _fingerprint = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private string? _finished;

    /// <summary>Names of the evaluations, as their files are called.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>Texts of each evaluation that were too short to be looked for.</summary>
    public IReadOnlyList<long> TooShort => _tooShort;

    /// <summary>Runs of words that are looked for.</summary>
    public int Runs => _sets.Count;

    /// <summary>SHA-256 of all that is looked for, lower-case hexadecimal. Nothing can be added after it was asked for.</summary>
    public string Fingerprint => _finished ??= Convert.ToHexStringLower(_fingerprint.GetHashAndReset());

    /// <summary>Reads evaluation records.</summary>
    /// <param name="paths">Files of records, or folders with them.</param>
    /// <exception cref="ConfigurationException">There are none.</exception>
    /// <exception cref="DataFormatException">A file is damaged.</exception>
    public static EvaluationOverlap Read(IReadOnlyList<string> paths)
    {
        var overlap = new EvaluationOverlap();
        foreach (string path in paths)
        {
            string[] files = [path];
            if (Directory.Exists(path))
            {
                files = [.. Directory.EnumerateFiles(path).Where(RecordFile.IsOne).Order(StringComparer.Ordinal)];
            }
            else if (!File.Exists(path))
            {
                throw new ConfigurationException(
                    $"--decontaminate {path} does not exist. Give files of evaluation records ({RecordFile.Endings}), or a folder of them."
                );
            }

            if (files.Length == 0)
            {
                throw new ConfigurationException(
                    $"--decontaminate {path} holds no file of records ({RecordFile.Endings})."
                );
            }

            foreach (string file in files)
            {
                int set = overlap.Begin(Path.GetFileName(file));
                RecordFile.Read(
                    file,
                    "",
                    (record, _) =>
                    {
                        overlap.AddAll(set, record);
                        return true;
                    }
                );
            }
        }

        return overlap;
    }

    /// <summary>Begins an evaluation.</summary>
    /// <returns>Its index.</returns>
    public int Begin(string name)
    {
        _names.Add(name);
        _tooShort.Add(0);
        _fingerprint.AppendData(Encoding.UTF8.GetBytes(name + "\n"));
        return _names.Count - 1;
    }

    /// <summary>Adds a text of an evaluation.</summary>
    /// <exception cref="ConfigurationException">There are too many runs.</exception>
    public void Add(int set, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        List<ulong> found = WordHashes.Of(utf8);
        ReadOnlySpan<ulong> words = CollectionsMarshal.AsSpan(found);
        if (words.Length < ShortestRun)
        {
            _tooShort[set]++;
            return;
        }

        _fingerprint.AppendData(utf8);
        int length = Math.Min(words.Length, LongestRun);
        _lengths.Add(length);
        for (int start = 0; start + length <= words.Length; start++)
        {
            _sets.TryAdd(Hash(words.Slice(start, length)), set);
        }

        if (_sets.Count > MostRuns)
        {
            throw new ConfigurationException(
                $"--decontaminate: the records have more than {MostRuns.ToString("N0", CultureInfo.InvariantCulture)} "
                    + $"runs of {LongestRun} words. "
                    + "That is a corpus, not an evaluation: name the files of the tasks alone."
            );
        }
    }

    /// <summary>The first evaluation with which a document shares a run of words; null for none.</summary>
    /// <param name="utf8">The document.</param>
    public int? Find(ReadOnlySpan<byte> utf8)
    {
        if (_sets.Count == 0)
        {
            return null;
        }

        List<ulong> found = WordHashes.Of(utf8);
        ReadOnlySpan<ulong> words = CollectionsMarshal.AsSpan(found);
        foreach (int length in _lengths)
        {
            if (Find(words, length) is int set)
            {
                return set;
            }
        }

        return null;
    }

    private int? Find(ReadOnlySpan<ulong> words, int length)
    {
        if (words.Length < length)
        {
            return null;
        }

        ulong highest = 1; // Base to the power of the run's length less one
        for (int i = 1; i < length; i++)
        {
            highest *= Base;
        }

        ulong sum = Sum(words[..length]);
        for (int end = length; ; end++)
        {
            if (_sets.TryGetValue(WordHashes.Mix(sum ^ (ulong)length), out int set))
            {
                return set;
            }

            if (end == words.Length)
            {
                return null;
            }

            sum = ((sum - (words[end - length] * highest)) * Base) + words[end];
        }
    }

    private void AddAll(int set, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                Add(set, value.GetString()!);
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in value.EnumerateArray())
                {
                    AddAll(set, item);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    AddAll(set, property.Value);
                }

                break;
        }
    }

    private static ulong Hash(ReadOnlySpan<ulong> words) => WordHashes.Mix(Sum(words) ^ (ulong)words.Length);

    private static ulong Sum(ReadOnlySpan<ulong> words)
    {
        ulong sum = 0;
        foreach (ulong word in words)
        {
            sum = (sum * Base) + word;
        }

        return sum;
    }
}
