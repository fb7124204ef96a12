using System.CommandLine;
using System.CommandLine.Completions;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Corpora;
using Saltern.Numerics;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary>Options that several verbs share.</summary>
public static class CommonOptions
{
    private const string RawWeights = "raw";
    private const string AverageWeights = "ema";

    private const int FilesNamed = 5;

    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json() =>
        new("--json")
        {
            Description = "Write the result as JSON to standard output, everything else to standard error.",
        };

    /// <summary>A recipe: a file, or one that ships, whose name is completed.</summary>
    /// <param name="name">Shown in the help.</param>
    /// <param name="description">What may be given.</param>
    /// <param name="studies">Whether studies are meant; null for both.</param>
    public static Argument<string> Recipe(string name, string description, bool? studies = false)
    {
        var argument = new Argument<string>(name) { Description = description, HelpName = name };
        argument.CompletionSources.Add(_ =>
            ShippedRecipe
                .All()
                .Where(recipe => studies is null || recipe.IsStudy == studies)
                .Select(recipe => new CompletionItem(recipe.Name))
        );
        return argument;
    }

    /// <summary><c>--set key=value …</c>, with the keys completed.</summary>
    /// <typeparam name="T">What is set: <see cref="RunConfig"/> or another record that recipes are read into.</typeparam>
    /// <param name="example">For the help; null for none.</param>
    public static Option<string[]> Set<T>(string? example = "distillation.weight=0.3")
    {
        // Without a name the help would list every key.
        string such = example is null ? "" : $", e.g. {example}";
        var option = new Option<string[]>("--set")
        {
            HelpName = "key=value",
            Description = $"key=value that wins over the recipe{such}.",
            DefaultValueFactory = _ => [],
            AllowMultipleArgumentsPerToken = true,
        };
        option.CompletionSources.Add(_ =>
            Keys(ValueShape.Of(typeof(T)), "").Select(key => new CompletionItem(key + "="))
        );
        return option;
    }

    private static IEnumerable<string> Keys(ValueShape shape, string prefix)
    {
        if (shape is RecordShape record)
        {
            string path = prefix.Length == 0 ? "" : prefix + ".";
            return record.Keys.SelectMany(key => Keys(key.Value.Shape, path + key.Key));
        }

        return [prefix];
    }

    /// <summary><c>--precision</c> of a model that is not trained.</summary>
    public static Option<ComputePrecision> Precision() =>
        new("--precision")
        {
            Description = "Type of the products: fp32 (exact), bf16, or auto for the faster one.",
            DefaultValueFactory = _ => ComputePrecision.Fp32,
        };

    /// <summary><c>--weights</c> of a run's model.</summary>
    public static Option<string> Weights()
    {
        var weights = new Option<string>("--weights")
        {
            Description = "raw: the weights as training left them. ema: their average over the last steps (averaging).",
            DefaultValueFactory = _ => RawWeights,
        };
        weights.AcceptOnlyFromAmong(RawWeights, AverageWeights);
        return weights;
    }

    /// <summary>Whether <see cref="Weights"/> asks for the average.</summary>
    public static bool IsAverage(string? weights) => weights == AverageWeights;

    /// <summary><c>--device</c> of a model that is not trained.</summary>
    public static Option<string> Device()
    {
        var device = new Option<string>("--device")
        {
            Description = "Where to compute: cpu, or cuda for a GPU (docs/cuda.md).",
            DefaultValueFactory = _ => "cpu",
        };
        device.AcceptOnlyFromAmong("cpu", "cuda");
        return device;
    }

    /// <summary>What <see cref="Device"/> asks for.</summary>
    internal static ComputeDevice DeviceOf(string? device) => device == "cuda" ? ComputeDevice.Cuda : ComputeDevice.Cpu;

    /// <summary><c>--threads</c>.</summary>
    public static Option<int?> Threads() =>
        new("--threads") { Description = "Threads to compute with; the free cores by default." };

    /// <summary>Takes what <see cref="Threads"/> says, before anything computes.</summary>
    /// <exception cref="ConfigurationException">It is no number of threads.</exception>
    internal static void SetThreads(int? threads)
    {
        if (threads is not int count)
        {
            return;
        }

        if (count is < 1 or > 4_096)
        {
            throw new ConfigurationException($"--threads = {count} is outside [1, 4096].");
        }

        Environment.SetEnvironmentVariable("OMP_NUM_THREADS", $"{count}");
    }

    /// <summary><c>--teacher-tokens</c>.</summary>
    public static Option<long?> TeacherTokens() =>
        new("--teacher-tokens")
        {
            Description =
                "Tokens that a small model was trained on of which nothing records it, so that its cost can be charged.",
        };

    /// <summary>Refuses what is no number of tokens.</summary>
    /// <exception cref="ConfigurationException">It is below 1.</exception>
    public static void CheckTeacherTokens(long? tokens)
    {
        if (tokens < 1)
        {
            throw new ConfigurationException($"--teacher-tokens = {tokens} must be at least 1.");
        }
    }

    /// <summary><c>--ignore-key</c>, as often as there are keys.</summary>
    public static Option<string[]> IgnoreKey() =>
        new("--ignore-key")
        {
            HelpName = "KEY",
            Description = "Key of a model's config.json that need not be understood; may be repeated, and is recorded.",
            DefaultValueFactory = _ => [],
        };

    /// <summary><c>--verify</c>.</summary>
    public static Option<bool> Verify() =>
        new("--verify")
        {
            Description = "Read every data file whole and compare checksums, even where an earlier start has done so.",
        };

    /// <summary>Warns of files that are read as training text though their names say that they are kept for measuring.</summary>
    /// <param name="valid">What is read as validation text; null for none.</param>
    /// <param name="remedy">What to do, besides naming the files to train on.</param>
    internal static void WarnOfHeldOut(Output console, CorpusReader reader, CorpusReader? valid, string remedy)
    {
        IReadOnlyList<CorpusFile> files = reader.HeldOut(valid);
        if (files.Count == 0)
        {
            return;
        }

        string more = files.Count > FilesNamed ? ", …" : "";
        string names = string.Join(", ", files.Take(FilesNamed).Select(file => file.Path)) + more;
        console.Line(
            $"Warning: {files.Count} of {reader.Files.Count} input files are named like text to measure on, "
                + $"and are read as training text all the same: {names}. {remedy}"
        );
    }

    /// <summary>Tells what a reader left out, passed over and took in its own way.</summary>
    public static void ReportReading(Output console, CorpusReader reader)
    {
        CorpusReadReport report = reader.Report;
        if (reader.LeftOut.Count > 0)
        {
            string more = reader.LeftOut.Count > FilesNamed ? ", …" : "";
            console.Line(
                $"Not read: {reader.LeftOut.Count} other files: {string.Join(", ", reader.LeftOut.Take(FilesNamed))}{more}"
            );
        }

        if (reader.Domains.Remark is { } remark)
        {
            console.Line(remark);
        }

        if (report.SplitMarks > 0)
        {
            console.Line(
                $"{report.SplitMarks} end-of-text marks spelled out in the text ended documents there; "
                    + "--special-tokens text keeps them as text."
            );
        }

        if (report.DocumentsWithSpecialTokens > 0)
        {
            console.Line(
                $"{report.DocumentsWithSpecialTokens} documents spell out special tokens, such as {report.SpecialTokenFound}: "
                    + "they are text there, not tokens; --special-tokens split or refuse takes them otherwise."
            );
        }

        if (report.BrokenRecords + report.BrokenFiles > 0)
        {
            console.Line(
                $"Passed over: {report.BrokenRecords} broken records, {report.BrokenFiles} broken files. The first:"
            );
            foreach (CorpusProblem problem in report.FirstProblems)
            {
                console.Line("  " + problem);
            }
        }
    }
}
