using Saltern.Numerics;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>What a machine gives a recipe.</summary>
internal sealed record BenchmarkResult
{
    /// <summary>Schema of the JSON form.</summary>
    public const string CurrentSchema = "saltern.bench/1";

    /// <summary>Always <see cref="CurrentSchema"/>.</summary>
    public string Schema { get; init; } = CurrentSchema;

    /// <summary>Name of the recipe.</summary>
    public required string Name { get; init; }

    /// <summary>Processor, cores, threads, products and their peak.</summary>
    public required RunMachine Machine { get; init; }

    /// <summary>Peak of the products of each type that has own kernels here, GFLOP/s, by the recipe's word; empty on a GPU.</summary>
    public IReadOnlyDictionary<string, double> PeaksGflops { get; init; } = new Dictionary<string, double>();

    /// <summary>Versions by name.</summary>
    public required IReadOnlyDictionary<string, string> Versions { get; init; }

    /// <summary>Share of the watched time in which others took more than a tenth of the used cores; null where nothing was watched.</summary>
    public double? LoadedShare { get; init; }

    /// <summary>Tokens of a step.</summary>
    public required long BatchTokens { get; init; }

    /// <summary>A step without a teacher.</summary>
    public required BenchmarkPhase Plain { get; init; }

    /// <summary>Steps of the smaller models that the recipe's model grows out of, in order; empty where it does not grow.</summary>
    public IReadOnlyList<BenchmarkStage> SmallStages { get; init; } = [];

    /// <summary>A step with the recipe's teacher; null without one.</summary>
    public BenchmarkPhase? Distilling { get; init; }

    /// <summary>Teacher's forward operations over the student's, forward and backward; 0 for a cached teacher; null without one.</summary>
    public double? TeacherFlopsShare { get; init; }

    /// <summary>Distilling step over plain step; null without a teacher.</summary>
    public double? DistillingRatio => Distilling?.StepSeconds / Plain.StepSeconds;

    /// <summary>Seconds of one evaluation on the curve set.</summary>
    public required double EvaluationSeconds { get; init; }

    /// <summary>Processor time of that evaluation, seconds, all threads together.</summary>
    public required double EvaluationProcessorSeconds { get; init; }

    /// <summary>Processor time of everything but steps and evaluations, seconds: starting, loading, compiling, measuring the peak. A run spends about as much.</summary>
    public required double OverheadProcessorSeconds { get; init; }

    /// <summary>Evaluation's time over the steps' time at the recipe's <c>evaluate_every</c>.</summary>
    public required double EvaluationShare { get; init; }
}

/// <summary>Steps of a model that grows.</summary>
/// <param name="Steps">Of the run.</param>
/// <param name="Layers">Of the stage's model.</param>
/// <param name="HiddenSize">Width of its residual stream.</param>
/// <param name="Parameters">Its parameters.</param>
/// <param name="Phase">A step of it, without a teacher.</param>
internal sealed record BenchmarkStage(int Steps, int Layers, int HiddenSize, long Parameters, BenchmarkPhase Phase);

/// <summary>One kind of step.</summary>
/// <param name="ShareOfPeak">Counted operations of a step over its median time and the peak of matrix products.</param>
/// <param name="PeakMemoryBytes">High-water mark of the process while these steps ran; null where the system does not say.</param>
/// <param name="Parts">Mean seconds of a step's parts; what is left to the mean of the whole step is not listed.</param>
/// <param name="OtherSeconds">Mean seconds of a step outside the parts.</param>
/// <param name="ProcessorSeconds">Mean processor time of a step, all threads together: what other programs take from the machine does not count in it.</param>
internal sealed record BenchmarkPhase(
    int Steps,
    double StepSeconds,
    double FastestStepSeconds,
    double TokensPerSecond,
    double ShareOfPeak,
    long? PeakMemoryBytes,
    IReadOnlyDictionary<StepPart, double> Parts,
    double OtherSeconds,
    double ProcessorSeconds
);
