using Saltern.Guidance;
using Saltern.Numerics;
using Saltern.RunFiles;

namespace Saltern.Checkpoints;

/// <summary>Where a run stands, weights and moments apart: saved and restored as a whole.</summary>
internal sealed record TrainState
{
    /// <summary>Steps done, skipped ones included.</summary>
    public int Step { get; init; }

    /// <summary>Updates made: steps without the skipped ones.</summary>
    public long Updates { get; init; }

    /// <summary>Updates in the average of the weights that lies beside them; 0 where there is none.</summary>
    public long AveragedUpdates { get; init; }

    /// <summary>Samples drawn: the position in the stream.</summary>
    public long Samples { get; init; }

    /// <summary>Samples drawn from the selected ones: the position in their own stream.</summary>
    public long SubsetSamples { get; init; }

    /// <summary>SHA-256 of the list of selected samples; a run is not resumed with another one while they are drawn.</summary>
    public string Selection { get; init; } = "";

    /// <summary>Ids at which the model stops writing, those of the model that it started from; null for the tokenizer's end of text alone.</summary>
    public IReadOnlyList<int>? EndTokens { get; init; }

    /// <summary>How a conversation becomes text, as Jinja, where the run trains on conversations; else null.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Samples that the run was planned to draw when it started; the shares of capped domains follow from it.</summary>
    public long PlannedSamples { get; init; }

    /// <summary>Tokens processed.</summary>
    public long Tokens { get; init; }

    /// <summary>Seconds in steps, from asking for the batch to the finished update.</summary>
    public double Seconds { get; init; }

    /// <summary>Seconds in evaluation along the run.</summary>
    public double EvaluationSeconds { get; init; }

    /// <summary>Seconds in writing checkpoints.</summary>
    public double CheckpointSeconds { get; init; }

    /// <summary>Seconds in loading and releasing the teacher.</summary>
    public double TeacherSeconds { get; init; }

    /// <summary>Seconds in logging.</summary>
    public double LoggingSeconds { get; init; }

    /// <summary>Floating-point operations of the steps, the live teacher's and the optimizer's included.</summary>
    public double Flops { get; init; }

    /// <summary>The live teacher's part of them.</summary>
    public double TeacherFlops { get; init; }

    /// <summary>The optimizer's own products of them; null in older states, which do not count them and go on without.</summary>
    public double? OptimizerFlops { get; init; }

    /// <summary>The stages that are over, in order: what the run had cost when the model grew.</summary>
    public IReadOnlyList<RunStage> Stages { get; init; } = [];

    /// <summary>Identity of the run: of its recipe as it began, data and first weights.</summary>
    public string Run { get; init; } = "";

    /// <summary>Last steps of its stages as it began.</summary>
    public IReadOnlyList<int> StageEnds { get; init; } = [];

    /// <summary>Position in the stream of the first sample: above 0 where the run goes on with another's data.</summary>
    public long FirstSample { get; init; }

    /// <summary>History of the weights that the run started from, oldest first; empty of fresh ones; null in older states, which do not say.</summary>
    public IReadOnlyList<RunAncestor>? Origin { get; init; }

    /// <summary>Whether the run fine-tunes.</summary>
    public bool IsFineTuning { get; init; }

    /// <summary>Step with the lowest loss on the curve set so far, where the recipe keeps it (<c>training.keep_best</c>); null before the first evaluation.</summary>
    public int? BestStep { get; init; }

    /// <summary>That loss, nats per token.</summary>
    public double? BestLoss { get; init; }

    /// <summary>Steps in a row that were not applied.</summary>
    public int SkippedInARow { get; init; }

    /// <summary>Last step with the teacher, 0 where even the first had none; null while it runs, or without one.</summary>
    public int? Stage1LastStep { get; init; }

    /// <summary>State of the transition of ω or λ; null without guidance.</summary>
    public TransitionState? Transition { get; init; }

    /// <summary>Σ h and number of positions so far, for gates that are scaled to keep their mean.</summary>
    public double GateSum { get; init; }

    /// <summary>Positions behind <see cref="GateSum"/>.</summary>
    public long GateCount { get; init; }

    /// <summary>1 / running mean of h, 1 as long as there is none.</summary>
    public double GateScale()
    {
        if (GateCount == 0 || GateSum == 0)
        {
            return 1.0;
        }

        return GateCount / GateSum;
    }

    /// <summary>Seconds of steps that were watched for other load, and those of them with more than 10 % of the used cores taken.</summary>
    public double WatchedSeconds { get; init; }

    /// <summary>Part of <see cref="WatchedSeconds"/> with other load.</summary>
    public double LoadedSeconds { get; init; }

    /// <summary>Ranks that share each batch; another number changes the last bits.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>Threads that each rank computes with; another number changes the last bits.</summary>
    public int Threads { get; init; }

    /// <summary>Library of the large products; the other one changes the last bits.</summary>
    public ProductLibrary Products { get; init; }

    /// <summary>Type of products that <c>precision: auto</c> found; null in older states, and where the recipe names one.</summary>
    public ComputePrecision? Precision { get; init; }

    /// <summary>libtorch's random state, Base64.</summary>
    public string RandomState { get; init; } = "";

    /// <summary>Fingerprint of the data set; a run is not resumed with another one.</summary>
    public string DataFingerprint { get; init; } = "";

    /// <summary>Fingerprint of the teacher's weights file; a run is not resumed with another teacher while stage 1 lasts.</summary>
    public string TeacherWeights { get; init; } = "";

    /// <summary>What is known of the teacher; null without one.</summary>
    public RunTeacher? Teacher { get; init; }

    /// <summary>Fingerprint of the weights before the first step.</summary>
    public string InitialWeights { get; init; } = "";
}
