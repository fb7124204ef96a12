namespace Saltern.Runs;

/// <summary>A run that is open: what its parts work on together.</summary>
/// <param name="Options">The ranks, and where words go.</param>
/// <param name="Parts">Text, tokenizer and instruments.</param>
/// <param name="Trainer">The student, the guidance and the state.</param>
internal sealed record RunContext(
    RunConfig Config,
    RunFolder Folder,
    TrainingRunOptions Options,
    RunParts Parts,
    Trainer Trainer
);
