using System.CommandLine;
using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Corpora;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern prepare</c>: text → token shards.</summary>
public static class PrepareCommand
{
    /// <summary>The verb's name.</summary>
    public const string Name = "prepare";

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var corpus = new CorpusOptions();
        var valid = new Option<string[]>("--valid")
        {
            Description = "Validation text of its own; then nothing is split off the input.",
            AllowMultipleArgumentsPerToken = true,
        };
        var tokenizerFile = new Option<string>("--tokenizer")
        {
            Description = "tokenizer.json to encode with.",
            Required = true,
        };
        var output = new Option<string>("--out") { Description = "Data set folder to write.", Required = true };
        var percent = new Option<double>("--valid-percent")
        {
            Description = "Percentage of the documents, by hash, that is kept for validation.",
            DefaultValueFactory = _ => 1.0,
        };
        var overwrite = new Option<bool>("--overwrite")
        {
            Description = "Replace a finished data set in the folder, or begin an unfinished one anew.",
        };
        var decontaminate = new Option<string[]>("--decontaminate")
        {
            Description =
                "Files of evaluation records, or a folder of them: training documents that share 13 words in a row "
                + "with one are left out and counted.",
            DefaultValueFactory = _ => [],
            AllowMultipleArgumentsPerToken = true,
        };
        var near = new Option<bool>("--near-duplicates")
        {
            Description =
                "Leave out, and count, documents that say nearly the same as one before them (MinHash: 0.8 of the runs of "
                + "5 words in common).",
        };
        var command = new Verb(
            Name,
            "Turn text into token shards with domain labels and a train/validation split by document.",
            [
                "saltern prepare --input text/ --tokenizer tokenizer.json --out data/core",
                "saltern prepare --input text/ --tokenizer tokenizer.json --out data/clean --decontaminate items/",
            ]
        )
        {
            valid,
            tokenizerFile,
            output,
            percent,
            overwrite,
            decontaminate,
            near,
        };
        corpus.AddTo(command);
        command.SetAction(parsed =>
            RankProcess.Run(
                (rank, console, cancellation) =>
                {
                    CorpusReaderOptions options = corpus.Read(parsed);
                    BpeTokenizer tokenizer = BpeTokenizer.Load(parsed.GetRequiredValue(tokenizerFile));
                    var reader = new CorpusReader(parsed.GetRequiredValue(corpus.Input), options);
                    CorpusReader? validReader = null;
                    if (parsed.GetValue(valid) is { Length: > 0 } paths)
                    {
                        validReader = new CorpusReader(paths, options);
                    }

                    string folder = parsed.GetRequiredValue(output);
                    var how = new DatasetBuilderOptions
                    {
                        ValidPercent = parsed.GetValue(percent),
                        Overwrite = parsed.GetValue(overwrite),
                        Threads = rank.Cores?.Threads ?? Environment.ProcessorCount,
                        Ranks = rank.Ranks,
                        NearDuplicates = parsed.GetValue(near),
                        Overlap = Overlap(console, parsed.GetRequiredValue(decontaminate)),
                    };
                    if (rank.Ranks.Rank > 0)
                    {
                        return Assist(reader, validReader, tokenizer, how, cancellation);
                    }

                    CommonOptions.WarnOfHeldOut(
                        console,
                        reader,
                        validReader,
                        "Losses on them would say nothing. Give them by --valid, or name the files to train on, "
                            + "such as --input 'corpus/*.train.*'."
                    );
                    PrepareSummary summary;
                    using (var status = new StatusLine(console))
                    {
                        var progress = new ImmediateProgress<PrepareProgress>(p =>
                            status.Show(() => Describe(p, reader, validReader))
                        );
                        try
                        {
                            summary = DatasetBuilder.Build(
                                reader,
                                validReader,
                                tokenizer,
                                folder,
                                how,
                                progress,
                                cancellation
                            );
                        }
                        catch (OperationCanceledException)
                        {
                            status.Keep(
                                $"Interrupted. What was written to {folder} is kept: the same command goes on with it."
                            );
                            return ExitCode.Interrupted;
                        }
                    }

                    Report(console, summary, folder);
                    console.Next(
                        $"saltern train --size 1m --data {folder} --minutes 10, or a recipe with data.path: {folder}"
                    );
                    ReportUncovered(console, summary.Total, tokenizer);
                    foreach (CorpusReader read in new[] { reader, validReader }.OfType<CorpusReader>())
                    {
                        CommonOptions.ReportReading(console, read);
                    }

                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static EvaluationOverlap? Overlap(Output console, string[] paths)
    {
        if (paths.Length == 0)
        {
            return null;
        }

        var overlap = EvaluationOverlap.Read(paths);
        console.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"kept out: documents that share {EvaluationOverlap.LongestRun} words in a row with "
                    + $"{string.Join(", ", overlap.Names)} ({overlap.Runs:N0} runs of words); "
            )
                + string.Create(
                    CultureInfo.InvariantCulture,
                    $"{overlap.TooShort.Sum():N0} texts of fewer than {EvaluationOverlap.ShortestRun} words are not looked for"
                )
        );
        return overlap;
    }

    private static int Assist(
        CorpusReader reader,
        CorpusReader? valid,
        BpeTokenizer tokenizer,
        DatasetBuilderOptions options,
        CancellationToken cancellation
    )
    {
        try
        {
            DatasetBuilder.Assist(reader, valid, tokenizer, options, cancellation);
            return ExitCode.Done;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
    }

    /// <summary>Tells what a data set holds.</summary>
    internal static void Report(Output console, PrepareSummary summary, string folder)
    {
        PrepareProgress total = summary.Total;
        IReadOnlyList<DomainManifest> domains = summary.Manifest.Domains;
        foreach (DomainManifest domain in domains)
        {
            string train = Column.Right((domain.Train?.Tokens ?? 0) / 1e6, 9, "0.00");
            string valid = Column.Right((domain.Valid?.Tokens ?? 0) / 1e6, 8, "0.000");
            console.Line(
                $"  {Column.Left(domain.Name, 16)}"
                    + $" train {Column.Right(domain.Train?.Documents ?? 0, 8)} documents {train}M tokens"
                    + $"   valid {Column.Right(domain.Valid?.Documents ?? 0, 6)} documents {valid}M tokens"
            );
        }

        console.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {total.Documents} documents, {total.Bytes / 1e6:0.0} MB, {total.Tokens / 1e6:0.00}M tokens"
                    + $" in {total.Elapsed.TotalSeconds:0.0} s ({total.MegabytesPerSecond:0.0} MB/s)"
            )
        );
        if (summary.ResumedDocuments > 0)
        {
            console.Line($"Went on with an interrupted run that had written {summary.ResumedDocuments} documents.");
        }

        if (summary.DuplicateDocuments + summary.TrainDocumentsInValid + summary.EmptyDocuments > 0)
        {
            console.Line(
                $"Left out: {summary.DuplicateDocuments} duplicates, "
                    + $"{summary.TrainDocumentsInValid} that are also validation text, "
                    + $"{summary.EmptyDocuments} empty."
            );
        }

        foreach ((string evaluation, long documents) in summary.OverlappingDocuments)
        {
            console.Line($"Left out: {documents} documents that share text with {evaluation}.");
        }

        if (summary.NearDuplicateDocuments > 0)
        {
            string across = "";
            if (summary.NearDuplicatesAcrossSplit > 0)
            {
                across = $" ({summary.NearDuplicatesAcrossSplit} of them between training and validation text)";
            }

            console.Line(
                $"Left out: {summary.NearDuplicateDocuments} near-duplicates of documents before them{across}. The first:"
            );
            foreach (string example in summary.NearDuplicateExamples)
            {
                console.Line("  " + example);
            }
        }

        if (summary.NearDuplicatesForgotten)
        {
            console.Line(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Near-duplicates with more than {NearDuplicates.MostDocuments:N0} documents between them were not looked for."
                )
            );
        }

        foreach (string domain in summary.DomainsWithoutValid)
        {
            // One text file is one document, and a document goes to one side whole: a larger share would only move it there.
            bool isWhole = domains.Any(known => known.Name == domain && known.Train?.Documents == 1);
            string refusal = domains.Count == 1 ? ", and training refuses the data set" : "";
            string remedy = isWhole
                ? "It is a single document: --text-piece-bytes 4000 cuts text files into many."
                : "A larger --valid-percent gives it some.";
            console.Line(
                $"The domain '{domain}' has no validation text: its loss will not be reported{refusal}. {remedy}"
            );
        }

        foreach (string domain in summary.DomainsWithoutTrain)
        {
            console.Line($"The domain '{domain}' has no training text.");
        }
    }

    // Ids are those of Hugging Face's library, which says nothing of it.
    private static void ReportUncovered(Output console, PrepareProgress total, BpeTokenizer tokenizer)
    {
        if (total.UncoveredBytes == 0)
        {
            return;
        }

        string fate = "were left out of the tokens";
        if (tokenizer.Definition.Unknown.Id is int unknown)
        {
            fate = $"became '{tokenizer.Decode([unknown])}'";
        }

        console.Line(
            $"{total.UncoveredBytes} bytes of the text have no token in the tokenizer and {fate}, as its makers' library does it."
        );
    }

    private static string Describe(PrepareProgress progress, CorpusReader reader, CorpusReader? valid)
    {
        long total = reader.TotalFileBytes + (valid?.TotalFileBytes ?? 0);
        long read = reader.FileBytesRead + (valid?.FileBytesRead ?? 0);
        double share = total == 0 ? 0 : read / (double)total;
        string left = "";
        if (share > 0.01)
        {
            left = $", {Duration.Text(progress.Elapsed.TotalSeconds * (1 - share) / share)} left";
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Duration.Bar(share)} {progress.Documents} documents, {progress.Bytes / 1e6:0.0} MB, "
                + $"{progress.Tokens / 1e6:0.00}M tokens, {progress.MegabytesPerSecond:0.0} MB/s, {share * 100:0} %{left}"
        );
    }
}
