using System.Globalization;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Growth;
using Saltern.Models;
using Saltern.Selection;

namespace Saltern.Runs;

/// <summary>What a run derived from its recipe, in words: sizes, tokens, arithmetic.</summary>
internal static class RunDescription
{
    /// <summary>One line each for student, batch, compute, validation and teacher.</summary>
    public static IReadOnlyList<string> Of(RunContext run, double peak)
    {
        (RunConfig config, Trainer trainer, RunParts parts) = (run.Config, run.Trainer, run.Parts);
        Transformer student = trainer.Student;
        TrainState state = trainer.State;
        TransformerConfig m = student.Config;
        int batch = parts.Stages.At(state.Step).BatchSequences;
        long batchTokens = (long)batch * config.Data.SequenceLength;
        double perToken = ModelFlops.TrainingPerToken(m, config.Data.SequenceLength);
        if (student.Adapters is LowRankAdapters adapters)
        {
            perToken += ModelFlops.AdaptersPerToken(m, adapters.Parameters.Layout.ParameterCount);
        }

        double epochs = (double)parts.Stages.Samples / parts.Batches.EpochLength;
        List<string> lines =
        [
            Text(
                $"student: {student.Parameters.Layout.ParameterCount / 1e6:0.00}M parameters ({m.NumHiddenLayers} layers, "
            )
                + $"hidden {m.HiddenSize}, {m.NumAttentionHeads} heads, feed-forward {m.IntermediateSize}, "
                + $"vocabulary {m.VocabSize})",
            Text($"batch: {batch} x {config.Data.SequenceLength} = {batchTokens} tokens in ")
                + Text($"{batch / config.Training.MicroBatchOf(batch)} micro-batches; {config.Training.Steps} steps = ")
                + Text($"{parts.Stages.Samples * config.Data.SequenceLength / 1e6:0.0}M tokens = {epochs:0.00} epochs"),
            Text($"compute: {perToken * batchTokens / 1e9:0.0} GFLOP a step; {state.Threads} threads; ")
                + Text($"matrix products ({parts.Compute.LibraryOf(state.Products)}) reach {peak / 1e9:0} GFLOP/s ")
                + $"in {parts.Compute.ProductType.ToString().ToLowerInvariant()}",
            Text($"validation: {parts.Text.CurveSet.TargetCount} tokens every {config.Training.EvaluateEvery} steps"),
        ];
        if (student.Adapters is not null)
        {
            long trained = student.Trained.Layout.ParameterCount;
            double share = 100.0 * trained / student.Parameters.Layout.ParameterCount;
            lines.Insert(
                1,
                Text(
                    $"trained: low-rank adapters, {trained / 1e6:0.00}M parameters ({share:0.00} % of the student's); "
                ) + "its own weights stay as they are"
            );
        }

        if (state.Ranks > 1)
        {
            int sequences = batch;
            double mebibytes = trainer.Optimizer.State.Sum(tensor => tensor.ByteCount) / 1048576.0;
            string sharded = config.Optimizer.ShardState ? ", sharded" : "";
            lines.Add(
                Text(
                    $"ranks: {state.Ranks}, each with {sequences / (double)state.Ranks:0.##} of the batch's {sequences} "
                ) + Text($"sequences; rank 0 writes; optimizer state {mebibytes:0.00} MiB a rank{sharded}")
            );
        }

        lines.AddRange(Origin(config, state, parts));
        lines.AddRange(parts.Compute.Remarks());
        if (config.Objective is { IsMixed: true } objective)
        {
            lines.Add("objective: " + objective.Description);
        }

        lines.AddRange(DomainPlan(config, state, parts));
        if (GuidanceKinds.Active(config) is GuidanceKind kind)
        {
            lines.Add(Text(kind.Describe(config, parts, trainer.Guidance.IsActive)));
        }
        else if (config.Teacher is not null && GuidanceKinds.Named(config) is GuidanceKind unused)
        {
            lines.Add($"teacher: not loaded, because {unused.Section}.weight is 0");
        }

        if (parts.Selection is SelectionManifest selection)
        {
            double most = StageOne.Samples(config) / (double)selection.Chosen;
            long all = selection.Scored + selection.Unscored;
            lines.Add(
                Text($"selection: stage 1 draws from {selection.Chosen} of {all} samples, ")
                    + Text($"scored by {selection.Teacher.Name}; at most {most:0.00} epochs of them")
            );
        }

        return lines;
    }

    // Where the weights come from, and what they grow into.
    private static IEnumerable<string> Origin(RunConfig config, TrainState state, RunParts parts)
    {
        if (Lineage.Describe(state.Origin ?? []) is string history)
        {
            yield return $"weights from: {history}";
        }

        if (config.Training.BatchWarmup is { Count: > 0 })
        {
            IEnumerable<string> sizes = parts.Stages.Stages.Select(stage =>
                Text($"{stage.BatchSequences} up to step {stage.LastStep}")
            );
            yield return $"batch: grows; sequences of a step: {string.Join(", ", sizes)}";
        }

        if (!parts.Stages.Growing.Any())
        {
            yield break;
        }

        int length = config.Data.SequenceLength;
        foreach (GrowthStage stage in parts.Stages.Stages)
        {
            TransformerConfig model = stage.Model;
            string next = "";
            if (stage.Growth is GrowthStageConfig growth)
            {
                next =
                    Text($", then grown by {growth.Operator.ToString().ToLowerInvariant()}, ")
                    + $"optimizer {growth.Optimizer.ToString().ToLowerInvariant()}";
            }

            yield return Text(
                $"stage: steps {stage.FirstStep} to {stage.LastStep}, {model.NumHiddenLayers} layers of {model.HiddenSize}, "
            )
                + Text($"{ModelFlops.Parameters(model) / 1e6:0.00}M parameters, ")
                + Text($"{GrowthPlan.StepFlops(stage, length) / 1e9:0.0} GFLOP a step{next}");
        }

        double whole = config.Training.Steps * GrowthPlan.StepFlops(parts.Stages.Stages[^1], length);
        yield return Text(
            $"growth: the run costs {parts.Stages.Flops(length) / whole:0.000} of as many steps of the whole model"
        );
    }

    // Share and planned epochs of each domain, before the start; one line where every domain has its natural share.
    private static IEnumerable<string> DomainPlan(RunConfig config, TrainState state, RunParts parts)
    {
        SampleStream stream = parts.Batches.Stream;
        if ((parts.Batches.Reader as SampleReader)?.Packing is PackingCounts packing)
        {
            double positions = (double)packing.Sequences * config.Data.SequenceLength;
            yield return Text($"documents: packed best-fit into {packing.Sequences} sequences; ")
                + Text(
                    $"{100 * packing.Padding / positions:0.00} % padding, which does not count, nor do {packing.Uncounted} "
                )
                + Text(
                    $"first tokens of continued documents; {packing.Inside} sequences begin inside a document longer than one"
                );
        }

        if (config.Data.MaskDocuments)
        {
            yield return "documents: attention does not cross their borders";
        }

        if (config.Data.Mixture is null)
        {
            yield break;
        }

        long[] drawn = stream.CountByDomain(
            state.Samples + parts.Stages.Samples - parts.Stages.SamplesUpTo(state.Step)
        );
        for (int i = 0; i < drawn.Length; i++)
        {
            string epochs =
                stream.Sizes[i] == 0
                    ? "no whole sequence"
                    : Text($"{drawn[i] / (double)stream.Sizes[i]:0.00} epochs of {stream.Sizes[i]} samples");
            yield return Text(
                $"domain {parts.Text.Domains[i]}: {100 * stream.Shares[i]:0.0} % of the samples, {epochs}"
            );
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
