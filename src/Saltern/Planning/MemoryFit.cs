using System.Globalization;
using Saltern.Configuration;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Runs;

namespace Saltern.Planning;

/// <summary>Settings with which a run takes so much memory.</summary>
/// <param name="Keys">What differs from the recipe, as <c>--set</c> takes it; empty for the recipe as it is.</param>
/// <param name="Memory">What it takes then.</param>
internal sealed record MemorySetting(IReadOnlyList<string> Keys, MemoryPlan Memory);

/// <summary>The cheapest settings with which a run fits into a memory.</summary>
/// <param name="LimitBytes">The memory that was stated.</param>
/// <param name="Cheapest">Those that fit at the least price; null where none do.</param>
/// <param name="Smallest">Those that take the least memory of all.</param>
internal sealed record MemoryFit(long LimitBytes, MemorySetting? Cheapest, MemorySetting Smallest)
{
    // Prices order the settings, cheap first; only their order means anything. What changes no number comes before what rounds, and that before what gives up clipping.
    private const int ForegroundPrice = 1;
    private const int MicroBatchPrice = 2; // a halving
    private const int RecomputePrice = 12; // of all layers: a third more arithmetic
    private const int StatePrice = 40;
    private const int PrecisionPrice = 50;
    private const int SplitPrice = 45;
    private const int ReleasePrice = 120;
    private const int ShortWeightPrice = 200;

    /// <summary>Tries what the recipe's optimizer allows.</summary>
    /// <param name="limitBytes">Memory of the fullest process.</param>
    /// <param name="teacher">As <see cref="MemoryPlan.Of"/>.</param>
    /// <param name="shardBytes">As <see cref="MemoryPlan.Of"/>.</param>
    public static MemoryFit Of(
        RunConfig recipe,
        TransformerConfig student,
        TransformerConfig? teacher,
        long shardBytes,
        int ranks,
        long limitBytes
    )
    {
        (int Price, MemorySetting Setting)[] all =
        [
            .. Candidates(recipe, student)
                .Where(candidate => !((IValidated)candidate.Recipe).Validate().Any())
                .Where(candidate => !((IValidated)candidate.Recipe.Optimizer).Validate().Any())
                .Where(candidate => !((IValidated)candidate.Recipe.Training).Validate().Any())
                .Select(candidate =>
                    (
                        candidate.Price,
                        new MemorySetting(
                            candidate.Keys,
                            MemoryPlan.Of(candidate.Recipe, student, teacher, shardBytes, ranks)
                        )
                    )
                ),
        ];
        MemorySetting? cheapest = all.Where(candidate => candidate.Setting.Memory.Bytes <= limitBytes)
            .OrderBy(candidate => candidate.Price)
            .ThenBy(candidate => candidate.Setting.Memory.Bytes)
            .Select(candidate => candidate.Setting)
            .FirstOrDefault();
        MemorySetting smallest = all.OrderBy(candidate => candidate.Setting.Memory.Bytes)
            .ThenBy(candidate => candidate.Price)
            .First()
            .Setting;
        return new MemoryFit(limitBytes, cheapest, smallest);
    }

    /// <summary>Reads a memory: a number with GiB, MiB, GB or MB.</summary>
    /// <exception cref="ConfigurationException">It is none.</exception>
    public static long ReadBytes(string text)
    {
        (string Unit, double Bytes)[] units = [("GiB", 1L << 30), ("MiB", 1L << 20), ("GB", 1e9), ("MB", 1e6)];
        foreach ((string unit, double bytes) in units)
        {
            string number = text.Trim();
            if (
                number.EndsWith(unit, StringComparison.OrdinalIgnoreCase)
                && double.TryParse(
                    number[..^unit.Length],
                    NumberStyles.AllowDecimalPoint | NumberStyles.AllowTrailingWhite,
                    CultureInfo.InvariantCulture,
                    out double count
                )
                && count > 0
                && count * bytes < long.MaxValue
            )
            {
                return (long)(count * bytes);
            }
        }

        throw new ConfigurationException(
            $"--memory = '{text}' is no memory. Give a number and GiB, MiB, GB or MB, e.g. 24GiB."
        );
    }

    private static IEnumerable<Candidate> Candidates(RunConfig recipe, TransformerConfig student)
    {
        IEnumerable<Candidate> all = [new Candidate(0, [], recipe)];
        all = all.SelectMany(Foreground);
        all = all.SelectMany(candidate => Recomputed(candidate, student.NumHiddenLayers));
        all = all.SelectMany(State);
        all = all.SelectMany(Weights);
        all = all.SelectMany(Released);
        return all.SelectMany(MicroBatches);
    }

    private static IEnumerable<Candidate> Foreground(Candidate from)
    {
        yield return from;
        TrainingConfig training = from.Recipe.Training;
        if (training.CheckpointInBackground)
        {
            RunConfig recipe = from.Recipe with { Training = training with { CheckpointInBackground = false } };
            yield return from.And(ForegroundPrice, recipe, "training.checkpoint_in_background=false");
        }
    }

    private static IEnumerable<Candidate> Recomputed(Candidate from, int layers)
    {
        yield return from;
        int now = from.Recipe.Training.Recompute.Resolve(layers);
        int[] counts = [layers / 4, layers / 2, 3 * layers / 4];
        foreach (int count in counts.Where(count => count > Math.Max(1, now)))
        {
            yield return Recompute(from, LayerCount.Of(count), Math.Max(1, RecomputePrice * count / layers));
        }

        if (now < layers)
        {
            yield return Recompute(from, LayerCount.All, RecomputePrice);
        }
    }

    private static Candidate Recompute(Candidate from, LayerCount count, int price) =>
        from.And(
            price,
            from.Recipe with
            {
                Training = from.Recipe.Training with { Recompute = count },
            },
            $"training.recompute={count}"
        );

    private static IEnumerable<Candidate> State(Candidate from)
    {
        yield return from;
        if (from.Recipe.Optimizer.State != OptimizerStateType.EightBit)
        {
            yield return from.And(
                StatePrice,
                With(from, optimizer => optimizer with { State = OptimizerStateType.EightBit }),
                "optimizer.state=8bit"
            );
        }
    }

    private static IEnumerable<Candidate> Weights(Candidate from)
    {
        yield return from;
        if (from.Recipe.Optimizer.Weights != OptimizerWeightType.Full)
        {
            yield break;
        }

        Candidate inBFloat16 = from;
        if (from.Recipe.Precision != ComputePrecision.Bf16)
        {
            inBFloat16 = from.And(
                PrecisionPrice,
                from.Recipe with
                {
                    Precision = ComputePrecision.Bf16,
                },
                "precision=bf16"
            );
            yield return inBFloat16;
        }

        yield return inBFloat16.And(
            SplitPrice,
            With(inBFloat16, optimizer => optimizer with { Weights = OptimizerWeightType.Split24 }),
            "optimizer.weights=split24"
        );
        yield return inBFloat16.And(
            ShortWeightPrice,
            With(inBFloat16, optimizer => optimizer with { Weights = OptimizerWeightType.Bf16 }),
            "optimizer.weights=bf16"
        );
    }

    private static IEnumerable<Candidate> Released(Candidate from)
    {
        yield return from;
        if (from.Recipe.Optimizer.Gradients == OptimizerGradients.Kept)
        {
            yield return from.And(
                ReleasePrice,
                With(
                    from,
                    optimizer => optimizer with { Gradients = OptimizerGradients.Released, MaxGradientNorm = 0 }
                ),
                "optimizer.gradients=released",
                "optimizer.max_gradient_norm=0"
            );
        }
    }

    private static IEnumerable<Candidate> MicroBatches(Candidate from)
    {
        yield return from;
        int price = 0;
        int now = from.Recipe.Training.MicroBatch;
        while (now % 2 == 0)
        {
            now /= 2;
            price += MicroBatchPrice;
            RunConfig recipe = from.Recipe with { Training = from.Recipe.Training with { MicroBatchSequences = now } };
            yield return from.And(price, recipe, $"training.micro_batch_sequences={now}");
        }
    }

    private static RunConfig With(Candidate from, Func<OptimizerConfig, OptimizerConfig> change) =>
        from.Recipe with
        {
            Optimizer = change(from.Recipe.Optimizer),
        };

    // Settings, what they cost, and the recipe with them.
    private sealed record Candidate(int Price, IReadOnlyList<string> Keys, RunConfig Recipe)
    {
        public Candidate And(int price, RunConfig recipe, params ReadOnlySpan<string> keys) =>
            new(Price + price, [.. Keys, .. keys], recipe);
    }
}
