using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using Saltern.Corpora;
using Saltern.Tokenization;
using BpeTokenizer = Saltern.Tokenization.BpeTokenizer;

namespace Saltern.Benchmarks.Data;

/// <summary>Encoding on one core beside Microsoft.ML.Tokenizers: the same vocabulary, merges, pattern, documents and ids.</summary>
internal static class EncodeBenchmark
{
    private const int Repeats = 5;
    private const int Vocabulary = 16_384;

    // Of every file the same share, so that each domain has its own.
    private const long TextBytes = 12_000_000;

    private const string EndOfText = "<|endoftext|>";

    public static int Run(string[] paths)
    {
        var reader = new CorpusReader(paths);
        byte[][] documents = Sample(reader);
        string[] texts = [.. documents.Select(Encoding.UTF8.GetString)];
        string[][] lines = [.. texts.Select(text => text.Split('\n'))];
        double megabytes = documents.Sum(document => (double)document.Length) / 1e6;
        var load = new OtherLoad();
        List<string> table =
        [
            string.Create(
                CultureInfo.InvariantCulture,
                $"{documents.Length} documents of {reader.Files.Count} files, {megabytes:0.0} MB of UTF-8, "
                    + $"vocabulary {Vocabulary} trained on them; MB/s on one thread, "
                    + $"the median of {Repeats} interleaved repeats after a first pass; "
                    + $"in brackets the first pass, with empty caches of words, then the slowest and fastest."
            ),
            "",
            "| pattern | Saltern, bytes | Saltern, strings | Microsoft, strings | Microsoft, "
                + "strings line by line | Saltern : Microsoft, strings | tokens |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ];
        foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>())
        {
            BpeTokenizer ours = BpeTrainer.Train(
                texts,
                new BpeTrainerOptions { VocabularySize = Vocabulary, Pattern = pattern }
            );
            BpeTokenizer second = Fresh(ours);
            Microsoft.ML.Tokenizers.BpeTokenizer theirs = Theirs(ours, pattern);
            Microsoft.ML.Tokenizers.BpeTokenizer theirSecond = Theirs(ours, pattern);
            (int tokens, int different) = Compare(Fresh(ours), Theirs(ours, pattern), texts);
            var ids = new List<int>();
            double[][] speeds = Measure(
                megabytes,
                () =>
                    Array.ForEach(
                        documents,
                        document =>
                        {
                            ids.Clear();
                            ours.Encode(document, ids);
                        }
                    ),
                () => Array.ForEach(texts, text => second.Encode(text)),
                () => Array.ForEach(texts, text => theirs.EncodeToIds(text)),
                () => Array.ForEach(lines, document => Array.ForEach(document, line => theirSecond.EncodeToIds(line)))
            );
            string cells = string.Join(
                " | ",
                speeds.Select(runs =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{ResultFile.Median(runs[1..]):0.0} ({runs[0]:0.0}; {runs[1..].Min():0.0}–{runs[1..].Max():0.0})"
                    )
                )
            );
            string equal = different == 0 ? "all equal" : $"{different} documents differ";
            table.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {pattern} | {cells} | {ResultFile.Median(speeds[1][1..]) / ResultFile.Median(speeds[2][1..]):0.0} "
                        + $"({speeds[1][0] / speeds[2][0]:0.0}) | {tokens / 1e6:0.00}M, {equal} |"
                )
            );
        }

        table.Add("");
        table.Add(
            "Documents may differ where they have characters beyond U+FFFF, which .NET's regular expressions read as two. "
                + "Line by line the cuts differ from those of whole texts: "
                + "it shows what the package reaches when it is fed in small pieces. Both keep words they have met; "
                + "in every pass but the first they meet the same ones."
        );
        ResultFile.Write(
            "tokenizer",
            "dotnet run -c Release --project benchmarks/Saltern.Benchmarks.Data -- encode TEXT…",
            load,
            table,
            "Microsoft.ML.Tokenizers",
            "Saltern.Core"
        );
        return 0;
    }

    private static byte[][] Sample(CorpusReader reader)
    {
        Dictionary<string, long> left = reader.Files.ToDictionary(
            file => file.Path,
            _ => TextBytes / reader.Files.Count
        );
        List<byte[]> documents = [];
        foreach (CorpusFile file in reader.Files)
        {
            foreach (TextDocument document in new CorpusReader([file.Path], reader.Options).ReadDocuments())
            {
                documents.Add(document.Utf8.ToArray());
                if ((left[file.Path] -= document.Utf8.Length) <= 0)
                {
                    break;
                }
            }
        }

        return [.. documents];
    }

    private static (int Tokens, int Different) Compare(
        BpeTokenizer ours,
        Microsoft.ML.Tokenizers.BpeTokenizer theirs,
        string[] texts
    )
    {
        (int tokens, int different) = (0, 0);
        foreach (string text in texts)
        {
            int[] ids = ours.Encode(text, allowSpecial: true);
            tokens += ids.Length;
            different += theirs.EncodeToIds(text).SequenceEqual(ids) ? 0 : 1;
        }

        return (tokens, different);
    }

    // In turns, so that whatever else the machine does meets all alike. The first of each is the first pass.
    private static double[][] Measure(double megabytes, params Action[] works)
    {
        double[][] speeds = [.. works.Select(_ => new double[Repeats + 1])];
        for (int repeat = 0; repeat <= Repeats; repeat++)
        {
            for (int i = 0; i < works.Length; i++)
            {
                long start = Stopwatch.GetTimestamp();
                works[i]();
                speeds[i][repeat] = megabytes / Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }

        return speeds;
    }

    // Another one with an empty cache, so that comparing ids warms up nothing that is measured.
    private static BpeTokenizer Fresh(BpeTokenizer tokenizer)
    {
        string path = Path.GetTempFileName();
        tokenizer.Save(path);
        BpeTokenizer fresh = BpeTokenizer.Load(path);
        File.Delete(path);
        return fresh;
    }

    private static Microsoft.ML.Tokenizers.BpeTokenizer Theirs(BpeTokenizer ours, SplitPattern pattern)
    {
        string path = Path.GetTempFileName();
        ours.Save(path);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
        File.Delete(path);
        JsonElement model = json.RootElement.GetProperty("model");
        JsonElement cutter = json.RootElement.GetProperty("pre_tokenizer");
        string regex =
            pattern == SplitPattern.Gpt2
                ? @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
                : cutter.GetProperty("pretokenizers")[0].GetProperty("pattern").GetProperty("Regex").GetString()!;
        var special = new Dictionary<string, int> { [EndOfText] = ours.EndOfTextId };
        return Microsoft.ML.Tokenizers.BpeTokenizer.Create(
            new BpeOptions(
                model
                    .GetProperty("vocab")
                    .EnumerateObject()
                    .Where(entry => entry.Name != EndOfText)
                    .Select(entry => KeyValuePair.Create(entry.Name, entry.Value.GetInt32()))
            )
            {
                ByteLevel = true,
                Merges = [.. model.GetProperty("merges").EnumerateArray().Select(merge => merge.GetString()!)],
                SpecialTokens = special,
                PreTokenizer = new RegexPreTokenizer(new Regex(regex, RegexOptions.Compiled), special),
            }
        );
    }
}
