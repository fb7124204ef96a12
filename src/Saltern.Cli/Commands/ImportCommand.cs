using System.CommandLine;
using System.Globalization;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern import FOLDER --out MODEL</c>: a Hugging Face model, checked and converted to float32.</summary>
public static class ImportCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var folder = new Argument<string>("FOLDER")
        {
            Description =
                "Hugging Face folder: config.json, safetensors weights and tokenizer.json of a family that can be read: "
                + $"{string.Join(", ", Enum.GetValues<ModelFamily>().Select(ModelFamilies.NameOf))}.",
        };
        var output = new Option<string>("--out") { Description = "Folder to create.", Required = true };
        Option<long?> tokens = CommonOptions.TeacherTokens();
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        var command = new Verb(
            "import",
            "Check a Hugging Face model and convert it to float32.",
            ["saltern import SmolLM2-135M --out models/small"]
        )
        {
            folder,
            output,
            tokens,
            ignored,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, cancellation) =>
                {
                    string source = parsed.GetRequiredValue(folder);
                    string target = parsed.GetRequiredValue(output);
                    if (!Directory.Exists(source))
                    {
                        throw new ConfigurationException(
                            $"{source} is no folder. Give one with config.json, safetensors weights and tokenizer.json."
                        );
                    }

                    CommonOptions.CheckTeacherTokens(parsed.GetValue(tokens));
                    ConfigReading reading;
                    using (var status = new StatusLine(console))
                    {
                        reading = ModelImport.Run(
                            source,
                            target,
                            parsed.GetValue(ignored),
                            (temporary, read) =>
                                Lineage.Write(
                                    temporary,
                                    Lineage.Imported(source, temporary, parsed.GetValue(tokens), read.Ignored)
                                ),
                            WeightsLine.On(status, "importing"),
                            cancellation
                        );
                    }

                    if (reading.Remark is string remark)
                    {
                        console.Line(remark);
                    }

                    TransformerConfig config = reading.Shape;
                    console.Line(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{target}: {HuggingFaceConfig.FamilyOf(config)}, "
                                + $"{ModelFlops.Parameters(config):N0} parameters in float32, "
                                + $"{config.MaxPositionEmbeddings} positions"
                        )
                    );
                    console.Line("history: " + Lineage.Describe(Lineage.Of(target, target)));
                    console.Next(
                        $"saltern train RECIPE --set teacher.path={target} (or init_from), saltern generate {target}"
                    );
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }
}
