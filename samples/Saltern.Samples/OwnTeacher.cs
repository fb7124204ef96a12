using Saltern.Batches;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Samples;

/// <summary>A teacher of one's own: of what the recipe's small model says, only the tokens that it finds likeliest.</summary>
internal sealed class OwnTeacher(Teacher recipes) : Teacher
{
    private const int Kept = 16;

    // As good as no probability, and its logarithm is finite, as −∞ would not be.
    private const double Never = -1e4;

    public override SoftLabels Label(Batch batch, IReadOnlyList<int> rows, torch.Tensor inputs, AttentionRanges? ranges)
    {
        using IDisposable noGradients = torch.no_grad();
        var labels = (LiveSoftLabels)recipes.Label(batch, rows, inputs, ranges);
        using torch.Tensor hidden = labels.HiddenStates; // [rows · T, D of the teacher], ours to give back
        using torch.Tensor logits = labels.Logits(); // [rows · T, V]
        using torch.Tensor leastKept = logits.topk(Kept).values.narrow(1, Kept - 1, 1); // [rows · T, 1]
        using torch.Tensor others = logits < leastKept;
        return new DenseSoftLabels(logits.masked_fill(others, Never), labels.Temperature);
    }

    // The arithmetic that the verdict charges.
    public override double FlopsPerToken(int sequenceLength) => recipes.FlopsPerToken(sequenceLength);

    protected override void Dispose(bool disposing) => recipes.Dispose();

    public static void Run(string folder) =>
        TrainFromCSharp.Train(
            SampleRecipes.Salt(folder) with
            {
                Name = "own-teacher",
            },
            folder,
            new TrainingRunOptions { Teacher = recipes => new OwnTeacher(recipes), Log = Console.WriteLine }
        );
}
