using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What a run owes to small models besides what it executed itself, and what of that it executed for one.</summary>
internal sealed record SmallModelCost
{
    /// <summary>Part of the run's own cost in which its model was still small.</summary>
    public required AncestorCost Stages { get; init; }

    /// <summary>History of its first weights and of its teacher, what both share counted once.</summary>
    public required AncestorCost Before { get; init; }

    /// <summary>Teacher passes made for a cache or for scores.</summary>
    public required AncestorCost Passes { get; init; }

    /// <summary>Reckons a run's.</summary>
    public static SmallModelCost Of(RunRecord run)
    {
        RunResult result = run.Result;
        RunTeacher? teacher = result.Teacher;
        AncestorCost stages = AncestorCost.None;
        if (result.Stages is [.., RunStage last])
        {
            stages = new AncestorCost(last.Flops, last.Seconds);
        }

        AncestorCost training = AncestorCost.None;
        if (run.HadTeacher)
        {
            training = new AncestorCost(teacher?.TrainingFlops, teacher?.TrainingSeconds);
        }

        AncestorCost origin = AncestorCost.Of(result.Origin);
        AncestorCost shared = AncestorCost.Shared(
            [
                .. result.Origin,
                // A teacher that was trained on from this very run's small model.
                new RunAncestor
                {
                    Name = result.Name,
                    Operation = "trained",
                    Flops = stages.Flops,
                    Seconds = stages.Seconds,
                    Run = result.Run,
                },
            ],
            teacher?.History ?? []
        );
        return new SmallModelCost
        {
            Stages = stages,
            Before = new AncestorCost(
                origin.Flops + training.Flops - shared.Flops,
                origin.Seconds + training.Seconds - shared.Seconds
            ),
            Passes = new AncestorCost(teacher?.PassFlops ?? 0, teacher?.PassSeconds ?? 0),
        };
    }

    /// <summary>What of a run's cost is its large model's.</summary>
    public AncestorCost Free(Cost run) =>
        new(
            run.Flops - Math.Min(run.Flops ?? 0, Stages.Flops ?? 0),
            run.Seconds - Math.Min(run.Seconds ?? 0, Stages.Seconds ?? 0)
        );

    /// <summary>The same with the passes, shared by K students.</summary>
    public AncestorCost WithPasses(Cost run, int students)
    {
        AncestorCost free = Free(run);
        return new AncestorCost(free.Flops + (Passes.Flops / students), free.Seconds + (Passes.Seconds / students));
    }

    /// <summary>With all that any small model cost, shared by K students; null where a part is not known.</summary>
    public AncestorCost Charged(Cost run, int students)
    {
        AncestorCost free = Free(run);
        return new AncestorCost(
            free.Flops + ((Passes.Flops / students) + ((run.Flops - free.Flops + Before.Flops) / students)),
            free.Seconds + ((Passes.Seconds / students) + ((run.Seconds - free.Seconds + Before.Seconds) / students))
        );
    }
}
