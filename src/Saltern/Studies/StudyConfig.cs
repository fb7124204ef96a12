using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using Saltern.Configuration;

namespace Saltern.Studies;

/// <summary>A grid of runs, arms × seeds, that ends in one verdict: what <c>saltern study</c> reads.</summary>
internal sealed partial record StudyConfig : IValidated
{
    /// <summary>Name of the study; its folder is <c>studies/&lt;name&gt;</c> unless told otherwise.</summary>
    [MinLength(1)]
    public required string Name { get; init; }

    /// <summary>Recipe that all arms begin with; looked for beside the study file, then from the working folder.</summary>
    [MinLength(1)]
    public required string Base { get; init; }

    /// <summary>Seeds of every arm. Runs of one seed share initial weights and order of samples.</summary>
    [MinLength(1)]
    public IReadOnlyList<int> Seeds { get; init; } = [1, 2, 3];

    /// <summary>Arm that the others are measured against.</summary>
    [MinLength(1)]
    public required string Baseline { get; init; }

    /// <summary>What all arms have beside the base recipe: dotted keys and values; null for nothing.</summary>
    public IReadOnlyDictionary<string, string>? Common { get; init; }

    /// <summary>By arm, what differs from the base recipe: dotted keys and values, as <c>--set</c> takes them.</summary>
    [MinLength(1)]
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Arms { get; init; }

    /// <summary>Arms with seeds of their own, such as one seed to screen; null where all have the same.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<int>>? ArmSeeds { get; init; }

    /// <summary>What a run has to reach: <c>loss</c>, <c>accuracy</c>, or a task as <c>task/metric</c>.</summary>
    [MinLength(1)]
    public string Metric { get; init; } = "loss";

    /// <summary>K: students over which a teacher's cost is shared.</summary>
    [Range(1, int.MaxValue)]
    public int StudentsServed { get; init; } = 1;

    /// <summary>Recipes of fine-tuning that finished runs go through; null for none.</summary>
    public IReadOnlyList<string>? Finetune { get; init; }

    /// <summary>Arms that are fine-tuned; null for all.</summary>
    public IReadOnlyList<string>? FinetuneArms { get; init; }

    /// <summary>Fine-tuning seeds of each run.</summary>
    [Range(1, 1_000)]
    public int FinetuneSeeds { get; init; } = 5;

    /// <summary>Seeds of an arm.</summary>
    public IReadOnlyList<int> SeedsOf(string arm) => ArmSeeds?.GetValueOrDefault(arm) ?? Seeds;

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        foreach (string arm in Arms.Keys.Where(arm => !ArmName().IsMatch(arm)))
        {
            yield return new ConfigurationProblem(
                "arms",
                $"has the name '{arm}', which is also a folder's. Use letters, digits, '-', '_' and '.', a letter or digit first."
            );
        }

        if (!Arms.ContainsKey(Baseline))
        {
            yield return new ConfigurationProblem(
                "baseline",
                $"= {Baseline} is none of the arms {string.Join(", ", Arms.Keys)}."
            );
        }

        foreach (
            string arm in (ArmSeeds?.Keys ?? [])
                .Concat(FinetuneArms ?? [])
                .Where(arm => !Arms.ContainsKey(arm))
                .Distinct()
        )
        {
            yield return new ConfigurationProblem(
                "arm_seeds",
                $"or finetune_arms names {arm}, which is none of the arms {string.Join(", ", Arms.Keys)}."
            );
        }

        foreach ((string arm, IReadOnlyDictionary<string, string> keys) in Arms)
        {
            foreach (
                string key in keys.Keys.Concat(Common?.Keys ?? []).Where(key => key is "seed" or "name").Distinct()
            )
            {
                yield return new ConfigurationProblem(
                    $"arms.{arm}.{key}",
                    "is given by the study itself. Remove it; seeds are listed under 'seeds' or 'arm_seeds'."
                );
            }
        }

        foreach (
            string arm in Arms.Keys.Where(arm =>
                SeedsOf(arm).Count == 0 || SeedsOf(arm).Distinct().Count() < SeedsOf(arm).Count
            )
        )
        {
            yield return new ConfigurationProblem(
                "seeds",
                $"of the arm {arm} are none, or one is there twice: {string.Join(", ", SeedsOf(arm))}."
            );
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
    private static partial Regex ArmName();
}
