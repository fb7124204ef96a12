using Saltern.Distributed;

namespace Saltern.Runs;

/// <summary>What a recipe asks for that several ranks cannot do.</summary>
internal static class RankProblems
{
    /// <summary>Says no before anything is opened.</summary>
    /// <param name="ranks">The ranks of the run.</param>
    /// <exception cref="ConfigurationException">Every problem, listed.</exception>
    public static void Refuse(RunConfig config, ICommunicator ranks)
    {
        List<string> problems = [];
        (string Key, int Sequences)[] batches =
        [
            ("training.batch_sequences", config.Training.BatchSequences),
            .. (config.Training.BatchWarmup ?? [])
                .Index()
                .Select(part => ($"training.batch_warmup[{part.Index}].batch_sequences", part.Item.BatchSequences)),
            .. (config.Growth ?? [])
                .Index()
                .Where(stage => stage.Item.BatchSequences is not null)
                .Select(stage => ($"growth[{stage.Index}].batch_sequences", stage.Item.BatchSequences!.Value)),
        ];
        problems.AddRange(
            batches
                .Where(batch => batch.Sequences < ranks.Size)
                .Select(batch =>
                    $"{batch.Key} = {batch.Sequences} is less than the {ranks.Size} ranks: "
                    + "some would have no sample. "
                    + $"Start at most {batch.Sequences} ranks, or take a larger batch."
                )
        );

        if (ranks.Size > 1 && config.Device == ComputeDevice.Cuda && ranks is not NcclCommunicator)
        {
            problems.Add(
                $"device = cuda, but the {ranks.Size} ranks exchange gradients in the memory of the processor only. "
                    + "Use device: cpu, or one process."
            );
        }

        if (ranks.Size > 1 && GuidanceKinds.Active(config)?.RankProblem(ranks.Size) is string problem)
        {
            problems.Add(problem);
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}
