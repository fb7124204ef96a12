using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Export;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern export MODEL</c>: a model for other programs, as a Hugging Face folder or a GGUF file.</summary>
public static class ExportCommand
{
    private const double Gigabyte = 1e9;
    private const string HuggingFace = "hf";
    private const string Gguf = "gguf";

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var model = new Argument<string>("MODEL")
        {
            Description = "Run folder, checkpoint folder or Hugging Face folder.",
        };
        var format = new Option<string>("--format")
        {
            Description =
                "hf: a folder that Hugging Face's libraries load. gguf: one file for llama.cpp and what is built on it.",
            Required = true,
        };
        format.AcceptOnlyFromAmong(HuggingFace, Gguf);
        var output = new Option<string>("--out")
        {
            Description = "Folder (hf) or file (gguf) to create.",
            Required = true,
        };
        var type = new Option<string>("--dtype")
        {
            Description = "Type of the weights; q8_0 is for gguf. f32 loses nothing.",
            DefaultValueFactory = _ => WeightTypes.NameOf(WeightType.F32),
        };
        type.AcceptOnlyFromAmong([.. WeightTypes.Names]);
        var shard = new Option<double?>("--shard-gb")
        {
            Description =
                "hf: gigabytes (10⁹ bytes) of weights a file; more make several files with an index. 5 by default.",
        };
        Option<string> weights = CommonOptions.Weights();
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        var command = new Verb(
            "export",
            "Write a model for other programs: a Hugging Face folder or a GGUF file.",
            ["saltern export runs/core-salt --format gguf --dtype q8_0 --out salt.gguf"]
        )
        {
            model,
            format,
            output,
            type,
            shard,
            weights,
            ignored,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, cancellation) =>
                {
                    string target = parsed.GetRequiredValue(output);
                    ExportOptions options = Options(
                        parsed.GetRequiredValue(format),
                        parsed.GetRequiredValue(type),
                        parsed.GetValue(shard)
                    );
                    string source = ModelLocation.Resolve(
                        parsed.GetRequiredValue(model),
                        CommonOptions.IsAverage(parsed.GetValue(weights))
                    );
                    long start = Stopwatch.GetTimestamp();
                    ExportResult result;
                    using (var status = new StatusLine(console))
                    {
                        result = ModelExport.Run(
                            source,
                            target,
                            options with
                            {
                                IgnoredKeys = parsed.GetValue(ignored),
                            },
                            WeightsLine.On(status, "exporting"),
                            cancellation
                        );
                    }

                    if (result.Remark is string remark)
                    {
                        console.Line(remark);
                    }

                    foreach (string warning in result.Warnings)
                    {
                        console.Line($"Note: {warning}");
                    }

                    string files = result.Files.Count == 1 ? "file" : "files";
                    console.Line(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{target}: {ModelFlops.Parameters(result.Config):N0} parameters in {WeightTypes.NameOf(options.Type)}"
                                + $", {result.Files.Count} weight {files}, {result.Bytes / Gigabyte:0.000} GB"
                                + $", {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s"
                        )
                    );
                    console.Next("docs/gguf.md and docs/models.md have the commands of the programs that read it");
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static ExportOptions Options(string format, string type, double? shard)
    {
        if (shard is not null && format == Gguf)
        {
            throw new ConfigurationException("--shard-gb is for --format hf; a GGUF file is one file.");
        }

        if (shard is <= 0 or > 1e6 or double.NaN)
        {
            throw new ConfigurationException($"--shard-gb = {shard} is outside (0, 1000000].");
        }

        var options = new ExportOptions
        {
            Format = format == Gguf ? ExportFormat.Gguf : ExportFormat.HuggingFace,
            Type = WeightTypes.Parse(type),
        };
        if (shard is double size)
        {
            return options with { ShardBytes = Math.Max(1, (long)(size * Gigabyte)) };
        }

        return options;
    }
}
