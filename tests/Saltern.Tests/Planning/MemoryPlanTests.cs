using Saltern.Batches;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Planning;
using Saltern.Runs;
using Saltern.Tests.Distributed;

namespace Saltern.Tests.Planning;

public class MemoryPlanTests
{
    private const string State = "optimizer state";
    private const string Copy = "copy for a checkpoint";
    private static readonly TransformerConfig Shape = new TransformerConfig
    {
        HiddenSize = 64,
        NumHiddenLayers = 2,
        NumAttentionHeads = 4,
        IntermediateSize = 128,
    }.Resolve(512, 64);
    private static readonly OptimizerConfig Sharded = new() { ShardState = true };

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void ShardedState_IsWhatEachRankKeeps(int ranks)
    {
        long planned = Part(Of(Sharded, ranks), State).Bytes;
        long[] kept = ThreadRanks.Run(
            ranks,
            communicator =>
            {
                using Transformer model = new(Shape, trainable: true);
                using Optimizer optimizer = Optimizer.Create(model.Parameters, Sharded, 1, communicator);
                return optimizer.State.Sum(tensor => tensor.ByteCount);
            }
        );
        Assert.All(kept, bytes => Assert.InRange(planned, 0.95 * bytes, 1.05 * bytes)); // blocks of weights begin at multiples of 64 bytes
        Assert.Equal(Part(Of(new OptimizerConfig(), ranks), State).Bytes / ranks, planned);
    }

    [Fact]
    public void OnlyTheFirstRank_PutsACheckpointTogether()
    {
        MemoryPlan whole = Of(new OptimizerConfig(), 4);
        MemoryPlan sharded = Of(Sharded, 4);
        Assert.Equal(whole.Bytes - Part(whole, Copy).Bytes, whole.BytesOfOtherRanks);

        // Written from the run's own memory there is no copy, unless the ranks' parts must come together first.
        Assert.DoesNotContain(Of(new OptimizerConfig(), 4, inBackground: false).Parts, part => part.Name == Copy);
        Assert.Equal(Part(whole, State).Bytes, Part(Of(Sharded, 4, inBackground: false), Copy).Bytes);
        Assert.Equal(Part(whole, Copy), Part(sharded, Copy));

        // 3/4 of the state, less the bucket that is added.
        Assert.InRange(whole.BytesOfOtherRanks - sharded.BytesOfOtherRanks, 1, Part(whole, State).Bytes * 3 / 4);
    }

    [Theory]
    [InlineData(OptimizerKind.Adamw, OptimizerStateType.Bf16)]
    [InlineData(OptimizerKind.Adamw, OptimizerStateType.EightBit)]
    [InlineData(OptimizerKind.Muon, OptimizerStateType.Bf16)]
    [InlineData(OptimizerKind.Muon, OptimizerStateType.EightBit)]
    public void CompactState_IsWhatTheOptimizerKeeps(OptimizerKind kind, OptimizerStateType type)
    {
        var config = new OptimizerConfig { Kind = kind, State = type };
        using Transformer model = new(Shape, trainable: true);
        using Optimizer optimizer = Optimizer.Create(model.Parameters, config, 1);
        Assert.Equal(optimizer.State.Sum(tensor => tensor.ByteCount), Part(Of(config, 1), State).Bytes);
    }

    [Fact]
    public void SharedGradients_AreOneLayerTheRestAndAShare()
    {
        OptimizerConfig both = Sharded with { ShardGradients = true };
        long all = Part(Of(Sharded, 4), "gradients").Bytes;
        var layout = new DecoderLayout(Shape);
        long layers =
            4
            * layout
                .Parameters.Slices.Where(slice => slice.Name.Contains(".layers.", StringComparison.Ordinal))
                .Sum(slice => slice.Count);
        long planned = Part(Of(both, 4), "gradients").Bytes;
        Assert.Equal(all - layers + (layers / Shape.NumHiddenLayers) + (layers / 4), planned);
        Assert.Equal(all, Part(Of(both, 1), "gradients").Bytes);
    }

    [Fact]
    public void OneProcess_TakesTheSameWithTheKey() =>
        Assert.Equal(Of(new OptimizerConfig(), 1).Parts, Of(Sharded, 1).Parts);

    [Fact]
    public void ARanksActivations_AreThoseOfItsShare()
    {
        const string Kept = "activations kept for the backward pass";
        Assert.Equal(Part(Of(Sharded, 1), Kept).Bytes, 4 * Part(Of(Sharded, 4), Kept).Bytes);
        // of 16 sequences the fullest of three ranks has 6
        Assert.Equal(6 * Part(Of(Sharded, 1), Kept).Bytes, 16 * Part(Of(Sharded, 3), Kept).Bytes);
    }

    [Fact]
    public void BFloat16Operands_TakeHalfOfWhatProductsRead()
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        const string Kept = "activations kept for the backward pass";
        RunConfig recipe = Recipe(new OptimizerConfig());
        MemoryPlan exact = MemoryPlan.Of(recipe, Shape, teacher: Shape, 0);
        MemoryPlan rounded = MemoryPlan.Of(recipe with { Precision = ComputePrecision.Bf16 }, Shape, Shape, 0);

        // A token and layer: a stream of 64, two factors and four log sums in float32; a branch of 64, 192 of queries, keys and values, 64 mixed, 256 gate and up.
        int floats = 64 + 2 + 4;
        int operands = 64 + 192 + 64 + 256;
        Assert.Equal(
            (double)((4 * floats) + (2 * operands)) / (4 * (floats + operands)),
            Part(rounded, Kept).Bytes / (double)Part(exact, Kept).Bytes,
            1e-12
        );
        RunConfig taught = recipe with
        {
            Teacher = new TeacherConfig { Path = "x", Precision = ComputePrecision.Bf16 },
        };
        MemoryPlan mixed = MemoryPlan.Of(taught, Shape, Shape, 0);
        Assert.Equal(Part(exact, Kept), Part(mixed, Kept));
        Assert.Equal(Part(rounded, "teacher's pass"), Part(mixed, "teacher's pass"));
    }

    private static MemoryPart Part(MemoryPlan plan, string name) =>
        Assert.Single(plan.Parts, part => part.Name == name);

    private static MemoryPlan Of(OptimizerConfig optimizer, int ranks, bool inBackground = true) =>
        MemoryPlan.Of(Recipe(optimizer, inBackground), Shape, null, 0, ranks);

    private static RunConfig Recipe(OptimizerConfig optimizer, bool inBackground = true) =>
        new()
        {
            Name = "plan",
            Data = new DataConfig { Path = "nowhere", SequenceLength = 64 },
            Model = new TransformerConfig(),
            Optimizer = optimizer,
            Training = new TrainingConfig
            {
                Steps = 10,
                BatchSequences = 16,
                CheckpointInBackground = inBackground,
            },
        };
}
