using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Saltern.Corpora;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Benchmarks.Data;

/// <summary>Speed and memory of preparing a data set, for corpora of different size made of copies of the same text, each document with a counter.</summary>
internal static class PrepareBenchmark
{
    private const int Vocabulary = 8_192;

    private static readonly long[] Sizes = [10_000_000, 100_000_000, 1_000_000_000];

    public static int Run(string[] paths)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("saltern-prepare-");
        try
        {
            List<TextDocument> documents = Sample(paths);
            string tokenizer = Path.Combine(folder.FullName, "tokenizer.json");
            BpeTrainer
                .Train(
                    documents.Select(document => document.Text),
                    new BpeTrainerOptions { VocabularySize = Vocabulary }
                )
                .Save(tokenizer);
            List<string> table =
            [
                $"One `.jsonl` file, vocabulary {Vocabulary}, pattern llama3; each row a process of its own. "
                    + "Peak memory is VmHWM: all that the process ever held, runtime and code included. "
                    + "Cores busy is its processor time over its wall time.",
                "",
                "| text | documents | threads | MB/s | MB/s per core busy | cores busy | peak memory, MB |",
                "| --- | --- | --- | --- | --- | --- | --- |",
            ];
            var load = new OtherLoad();
            foreach (long size in Sizes)
            {
                string corpus = Path.Combine(folder.FullName, "corpus.jsonl");
                WriteCorpus(corpus, documents, size);
                foreach (
                    int threads in size == Sizes[1]
                        ? [1, Environment.ProcessorCount]
                        : new[] { Environment.ProcessorCount }
                )
                {
                    table.Add(Spawn(corpus, tokenizer, Path.Combine(folder.FullName, "data"), threads));
                    Console.Error.WriteLine(table[^1]);
                    Directory.Delete(Path.Combine(folder.FullName, "data"), recursive: true);
                }

                File.Delete(corpus);
            }

            table.Add("");
            table.Add(
                "Memory: the runtime and code take about 70 MB; words that the encoders keep fill up within the first 100 MB of "
                    + "text; a table of document hashes takes 8 MB at 300,000 documents and 128 MiB at most."
            );
            ResultFile.Write(
                "prepare",
                "dotnet run -c Release --project benchmarks/Saltern.Benchmarks.Data -- prepare TEXT…",
                load,
                table,
                "Saltern.Core"
            );
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Prepares one corpus and prints a line of the table.</summary>
    public static int RunOne(string corpus, string tokenizer, string folder, int threads)
    {
        var clock = Stopwatch.StartNew();
        PrepareSummary summary = DatasetBuilder.Build(
            new CorpusReader([corpus]),
            null,
            BpeTokenizer.Load(tokenizer),
            folder,
            new DatasetBuilderOptions { Threads = threads }
        );
        double seconds = clock.Elapsed.TotalSeconds;
        double busy = Environment.CpuUsage.TotalTime.TotalSeconds / seconds;
        double speed = summary.Total.Bytes / 1e6 / seconds;
        string peak = File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith("VmHWM", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {summary.Total.Bytes / 1e6:0} MB | {summary.Total.Documents} | {threads} | {speed:0.0} | {speed / busy:0.0} "
                    + $"| {busy:0.00} | {double.Parse(peak, CultureInfo.InvariantCulture) * 1024 / 1e6:0} |"
            )
        );
        return 0;
    }

    private static string Spawn(params object[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        foreach (object argument in (object[])["prepare-one", .. arguments])
        {
            start.ArgumentList.Add(Convert.ToString(argument, CultureInfo.InvariantCulture)!);
        }

        using Process process = Process.Start(start)!;
        string line = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        if (process.ExitCode == 0)
        {
            return line;
        }

        throw new InvalidOperationException("prepare-one failed");
    }

    private static List<TextDocument> Sample(string[] paths)
    {
        const long BytesPerFile = 1_000_000;
        List<TextDocument> documents = [];
        foreach (CorpusFile file in new CorpusReader(paths).Files)
        {
            long bytes = 0;
            documents.AddRange(
                new CorpusReader([file.Path])
                    .ReadDocuments()
                    .TakeWhile(document => (bytes += document.Utf8.Length) < BytesPerFile)
            );
        }

        return documents;
    }

    private static void WriteCorpus(string path, List<TextDocument> documents, long bytes)
    {
        using FileStream file = File.Create(path);
        long written = 0;
        for (long number = 0; written < bytes; number++)
        {
            TextDocument document = documents[(int)(number % documents.Count)];
            byte[] line = JsonSerializer.SerializeToUtf8Bytes(
                new { text = $"{document.Text}\n{number}", domain = document.Domain }
            );
            file.Write(line);
            file.WriteByte((byte)'\n');
            written += document.Utf8.Length;
        }
    }
}
