using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Evaluation;

/// <summary>What is measured along a run besides loss and accuracy. Nothing here changes the model.</summary>
public sealed record EvaluationConfig : IValidated
{
    /// <summary>Folder of <c>saltern teach</c>: losses are also given for its easy, medium and hard tokens; null for none.</summary>
    [MinLength(1)]
    public string? Buckets { get; init; }

    /// <summary>Tasks that ship, by name, or task files, as for <c>saltern eval --tasks</c>; null for none.</summary>
    public IReadOnlyList<string>? Tasks { get; init; }

    /// <summary>Folder with the tasks' data; null looks beside the task files.</summary>
    [MinLength(1)]
    public string? TasksData { get; init; }

    /// <summary>Most items of a task, from the first on; null for all.</summary>
    [Range(1, int.MaxValue)]
    public int? TasksLimit { get; init; }

    /// <summary>Steps between runs of the tasks; null takes <c>training.evaluate_every</c>. They are also run after the last step.</summary>
    [Range(1, int.MaxValue)]
    public int? TasksEvery { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (
            Tasks is null or { Count: 0 }
            && (TasksData is not null || TasksLimit is not null || TasksEvery is not null)
        )
        {
            yield return new ConfigurationProblem(
                "tasks",
                "is missing, but other keys say how to run tasks. Name task files, or remove those keys."
            );
        }
    }
}
