using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.Distributed;
using Saltern.Planning;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern nccl-check</c>: whether the GPUs of the ranks can exchange values; not listed in the help, described in docs/cluster.md.</summary>
public static class NcclCheckCommand
{
    /// <summary>The verb's name.</summary>
    public const string Name = "nccl-check";

    private const int DefaultElements = 1 << 22;

    private const int MostElements = 1 << 28;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var elements = new Option<int>("--elements")
        {
            Description = "float32 values of each rank, rounded up to a multiple of the ranks.",
            DefaultValueFactory = _ => DefaultElements,
        };
        var command = new Command(Name, "Try NCCL's collectives on the GPU of each rank.") { elements };
        command.Hidden = true;
        command.SetAction(parsed =>
            RankProcess.Run(
                (rank, console, _) =>
                {
                    int wanted = parsed.GetValue(elements);
                    if (wanted is < 1 or > MostElements)
                    {
                        throw new ConfigurationException($"--elements = {wanted} is outside [1, {MostElements}].");
                    }

                    using NcclCommunicator ranks = rank.StartNccl();
                    foreach (string line in NcclCheck.Run(ranks, (wanted + ranks.Size - 1) / ranks.Size * ranks.Size))
                    {
                        console.Line(line);
                    }

                    return ExitCode.Done;
                }
            )
        );
        return command;
    }
}
