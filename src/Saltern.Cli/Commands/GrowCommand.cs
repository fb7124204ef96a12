using System.CommandLine;
using System.Globalization;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Growth;
using Saltern.Models;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern grow MODEL --layers N --out FOLDER</c>: a larger model out of a smaller one.</summary>
public static class GrowCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var model = new Argument<string>("MODEL")
        {
            Description = "Run folder, checkpoint folder or Hugging Face folder of the small model.",
        };
        var output = new Option<string>("--out") { Description = "Folder to create.", Required = true };
        var layers = new Option<int?>("--layers") { Description = "Layers of the large model; as many by default." };
        var hidden = new Option<int?>("--hidden-size")
        {
            Description =
                "Its width, a multiple of the small model's. Heads and feed-forward layer follow in proportion.",
        };
        var heads = new Option<int?>("--heads") { Description = "Its query heads." };
        var keyHeads = new Option<int?>("--key-value-heads") { Description = "Its key/value heads." };
        var inner = new Option<int?>("--intermediate-size") { Description = "Width inside its feed-forward layer." };
        var growth = new Option<string>("--operator")
        {
            Description =
                "Where new layers come from: stack (1 2 1 2), interleave (1 1 2 2), middle (1 2 3 2 3 4), "
                + "zero (copies that add nothing yet).",
            DefaultValueFactory = _ => "stack",
        };
        growth.AcceptOnlyFromAmong([.. Enum.GetNames<DepthOperator>().Select(name => name.ToLowerInvariant())]);
        var noise = new Option<double>("--noise")
        {
            Description = "Of the copies where the width grows, over fresh weights' root mean square; 0 for none.",
            DefaultValueFactory = _ => new GrowthConfig().Noise,
        };
        var seed = new Option<int>("--seed") { Description = "Of the noise.", DefaultValueFactory = _ => 1 };
        var step = new Option<int?>("--step") { Description = "Step of a run's checkpoint; the newest by default." };
        Option<long?> tokens = CommonOptions.TeacherTokens();
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        var command = new Verb(
            "grow",
            "Make a larger model out of a smaller one.",
            [
                "saltern grow runs/small --layers 8 --out models/grown",
                "saltern grow models/small --layers 24 --hidden-size 1024 --operator zero --out models/grown",
            ]
        )
        {
            model,
            output,
            layers,
            hidden,
            heads,
            keyHeads,
            inner,
            growth,
            noise,
            seed,
            step,
            tokens,
            ignored,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    CommonOptions.CheckTeacherTokens(parsed.GetValue(tokens));
                    if (!(parsed.GetValue(noise) is >= 0 and <= 10))
                    {
                        throw new ConfigurationException($"--noise = {parsed.GetValue(noise)} is outside [0, 10].");
                    }

                    var request = new GrowRequest
                    {
                        From = new InitFromConfig
                        {
                            Path = parsed.GetRequiredValue(model),
                            Step = parsed.GetValue(step),
                            TrainedTokens = parsed.GetValue(tokens),
                            IgnoreKeys = parsed.GetValue(ignored),
                            Grow = new GrowthConfig
                            {
                                Operator = Enum.Parse<DepthOperator>(parsed.GetRequiredValue(growth), ignoreCase: true),
                                Noise = parsed.GetValue(noise),
                            },
                        },
                        Sizes = new GrowthModelConfig
                        {
                            NumHiddenLayers = parsed.GetValue(layers),
                            HiddenSize = parsed.GetValue(hidden),
                            NumAttentionHeads = parsed.GetValue(heads),
                            NumKeyValueHeads = parsed.GetValue(keyHeads),
                            IntermediateSize = parsed.GetValue(inner),
                        },
                        Target = parsed.GetRequiredValue(output),
                        Seed = parsed.GetValue(seed),
                    };
                    Print(console, request.Target, GrowRequest.Run(request));
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static void Print(Output console, string target, GrowResult grown)
    {
        (TransformerConfig small, TransformerConfig large) = (grown.Small, grown.Large);
        if (grown.Remark is string remark)
        {
            console.Line(remark);
        }

        console.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{target}: {small.NumHiddenLayers} layers of {small.HiddenSize} to {large.NumHiddenLayers} of {large.HiddenSize}, "
                    + $"{ModelFlops.Parameters(small):N0} to {ModelFlops.Parameters(large):N0} parameters"
            )
        );
        string gives = grown.PreservesFunction
            ? "preserves the function"
            : "changes the function: expect a jump of the loss, and a better end";
        console.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"the growth {gives}; measured on {GrowRequest.ProbeTokens} tokens, "
                    + $"the logits differ by {grown.Difference:0.0e0} of their root mean square; "
                    + $"the residual stream has a root mean square of {grown.HiddenBefore:0.000} before and {grown.HiddenAfter:0.000} after"
            )
        );
        console.Line("history: " + Lineage.Describe(grown.History));
        console.Next($"saltern train RECIPE --set init_from={target}");
    }
}
