namespace Saltern.RunFiles;

/// <summary>A metric of a task before and after the fine-tuning of a study's run.</summary>
/// <param name="Arm">Arm of the run.</param>
/// <param name="Seed">Seed of the run.</param>
/// <param name="TuningSeed">Seed of the fine-tuning.</param>
/// <param name="IsMain">Whether it is the task's main one.</param>
/// <param name="Items">Items of the task.</param>
/// <param name="TooLong">Items that were cut because the model reads fewer tokens.</param>
/// <param name="Before">Score of the run's final model.</param>
/// <param name="After">Score after fine-tuning, of the checkpoint with the lowest validation loss.</param>
internal sealed record FineTuneScore(
    string Arm,
    int Seed,
    int TuningSeed,
    string Task,
    string Metric,
    bool IsMain,
    int Items,
    int TooLong,
    double Before,
    double After
);
