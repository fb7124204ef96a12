using Saltern.Configuration;
using Saltern.Data;
using Saltern.Teachers;
using Saltern.Tokenization;

namespace Saltern.Training;

/// <summary>What a cache of soft labels and a run differ in; each sentence names both sides.</summary>
internal static class CacheProblems
{
    /// <summary>Every difference; none where the run may be taught from the cache.</summary>
    public static IEnumerable<string> Of(TeacherCache cache, RunConfig config, TokenDataset? data, BpeTokenizer? tokenizer, BatchLoader? batches, TrainState? resumed)
    {
        TeachPlan plan = cache.Plan;
        string owner = $"teacher.cache = {cache.Folder}";
        if (plan.Mode == CacheMode.Scores)
        {
            yield return $"{owner} holds scores alone, no soft labels. Run 'saltern teach' with --mode sampled or top_k.";
        }

        if (plan.Temperature != config.Teacher!.Temperature)
        {
            yield return $"{owner} was made at temperature {plan.Temperature}, but teacher.temperature = {config.Teacher.Temperature}. Make it again with --temperature {config.Teacher.Temperature}, or change the recipe.";
        }

        if (tokenizer is not null && plan.Tokenizer != tokenizer.Fingerprint)
        {
            yield return $"{owner} was made with the tokenizer {plan.Tokenizer}, but the data set has {tokenizer.Fingerprint}. Soft labels need the same token ids.";
        }

        string[] differences = data is null ? [] : [.. plan.Samples.DifferencesFrom(SampleSpace.Of(data.Fingerprint, config.Data, config.Objective), owner)];
        foreach (string difference in differences)
        {
            yield return difference;
        }

        if (config.Distillation is not null && cache.GateProblem(config.Distillation.Gate) is string gate)
        {
            yield return gate;
        }

        if (batches is not null && data is not null && differences.Length == 0 && MissingSamples(cache, config, data, batches, resumed) is string missing)
        {
            yield return $"{owner} {missing}";
        }
    }

    // A pass over stage 1 of the same order covers every shorter one; for another order each sample is looked for.
    private static string? MissingSamples(TeacherCache cache, RunConfig config, TokenDataset data, BatchLoader batches, TrainState? resumed)
    {
        TeachCoverage coverage = cache.Plan.Coverage;
        if (coverage.IsWhole || !config.Distils)
        {
            return null;
        }

        long drawn = StageOne.Samples(config, resumed);
        if (coverage.Order == batches.Stage1Order(SampleSpace.Of(data.Fingerprint, config.Data, config.Objective)) && coverage.Drawn >= drawn)
        {
            return null;
        }

        IReadOnlyList<(int Domain, long Index)> needed = batches.FirstSamples(drawn, fromSubset: config.Selection is not null);
        int missing = needed.Count(key => !cache.Has(key.Domain, key.Index));
        return missing == 0 ? null
            : $"holds {coverage.Count} of {coverage.OfAll} samples, those of the first {coverage.Drawn} draws of another order, or of a shorter stage 1: {missing} of the {needed.Count} samples that this run's stage 1 may draw are missing. Make the pass for this recipe, or over all samples (without --stage1-only).";
    }
}
