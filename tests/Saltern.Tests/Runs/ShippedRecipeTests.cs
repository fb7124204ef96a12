using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Models;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Tests.Runs;

// Shape, options and schedule of each recipe that the repository ships, on little text for a dozen steps.
public class ShippedRecipeTests
{
    private const int LargestParameters = 5_000_000;

    private static readonly string Root = Path.Combine(RepositoryFolder.Path, "recipes");

    public static TheoryData<string> Recipes =>
        new(
            Directory
                .EnumerateFiles(Root, "*.yaml", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(Root, path))
                .Order()
        );

    [Theory]
    [MemberData(nameof(Recipes))]
    public void EveryRecipeOfARun_Trains(string file)
    {
        string path = Path.Combine(Root, file);
        Assert.SkipWhen(
            StudyPlan.IsStudy(path) || FineTuneConfig.IsRecipe(path),
            "Studies and fine-tuning have tests of their own."
        );
        RunConfig asShipped = RecipeReader.Read<RunConfig>(path, []);
        Assert.SkipWhen(
            ModelFlops.Parameters(asShipped.Model.Resolve(4_096, asShipped.Data.SequenceLength)) > LargestParameters,
            "Not for one machine."
        );
        Assert.SkipWhen(
            asShipped.Alignment is { Weight: > 0 }
                || asShipped.Selection is not null
                || asShipped.Teacher?.Cache is not null,
            "Needs another tokenizer, a selection or a cache; AlignmentRunTests, SelectedTrainingTests and TeachRunTests make them."
        );
        using var folder = new TemporaryFolder();
        string[] teacher = asShipped.Distils ? ["teacher.path=" + TinyRun.Shared.TeacherFolder] : [];
        string[] growingBatch = asShipped.Training.BatchWarmup is null
            ? []
            : ["training.batch_warmup=[{ until: 0.5, batch_sequences: 2 }]"];
        string[] settings =
        [
            "data.path=" + TinyRun.Shared.DataFolder,
            "data.sequence_length=16",
            "threads=1",
            "products=blas",
            "training.steps=12",
            "schedule.warmup_steps=1",
            "training.batch_sequences=4",
            "training.evaluate_every=12",
            "training.checkpoint_every=12",
            "training.keep_steps=[]",
            "training.evaluation_tokens=500",
            "training.final_evaluation_tokens=1000",
            .. growingBatch,
            .. teacher,
        ];
        RunConfig recipe = RecipeReader.Read<RunConfig>(path, settings);
        if (recipe.Growth is not null)
        {
            // Twelve steps are shorter than a warm-up.
            recipe = recipe with
            {
                Growth = [.. recipe.Growth.Select(stage => stage with { WarmupSteps = 1 })],
            };
        }

        using TrainingRun run = TrainingRun.Open(recipe, folder["run"], TinyRun.Quick);
        run.Continue(12, CancellationToken.None);
        double loss = run.Finish().Final!.Loss;

        // ln of the vocabulary is where a model that knows nothing stands; a dozen steps at the recipe's rate take it below and never above.
        Assert.InRange(loss, 0, Math.Log(run.Student.Config.VocabSize));
    }
}
