using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Saltern.Configuration;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Cli.Tests;

// What the head of a shipped recipe promises is what a committed run showed, or is said not to be known.
public partial class RecipeClaimTests
{
    // Claims have two places; a figure of 4.0965 is told as 4.10.
    private const double LossRounding = 0.005;

    // Minutes are told in round numbers, and clocks differ by that much on the machine they were taken on.
    private const double CostTolerance = 0.25;

    private static readonly string[] NotKnown =
    [
        "the paper reports",
        "not studied yet",
        "see experiments/",
        "as core-salt (experiments/",
    ];

    public static TheoryData<string> Recipes => RecipeTests.Recipes;

    [Theory]
    [MemberData(nameof(Recipes))]
    public void TheExpectedResult_IsThatOfACommittedRun_OrSaidNotToBeKnown(string file)
    {
        string path = Path.Combine(Root, "recipes", file);
        string head = Head(path);
        Assert.All(
            ExperimentPath().Matches(head).Select(match => match.Value.TrimEnd('.')),
            named =>
                Assert.True(
                    Directory.Exists(Path.Combine(Root, named)) || KeptResults.At(named) is not null,
                    $"{file} names {named}, which is not there"
                )
        );
        Match claim = LossClaim().Match(head);
        if (!claim.Success)
        {
            string expected = head[(head.IndexOf("Expected: ", StringComparison.Ordinal) + "Expected: ".Length)..];
            Assert.True(
                StudyPlan.IsStudy(path)
                    || ScoreClaim().IsMatch(head)
                    || NotKnown.Any(words => expected.StartsWith(words, StringComparison.Ordinal)),
                $"{file} expects '{expected}', which no test holds against a run"
            );
            return;
        }

        JsonElement result = KeptResults.At(claim.Groups["path"].Value)!.Value;
        bool ofTeacher = claim.Groups["teacher"].Success;
        double loss = ofTeacher
            ? result.GetProperty("teacher").GetProperty("final_loss").GetDouble()
            : result.GetProperty("final").GetProperty("loss").GetDouble();
        Assert.Equal(double.Parse(claim.Groups["loss"].Value, CultureInfo.InvariantCulture), loss, LossRounding);

        // It is the run of this recipe: as many steps on as many tokens.
        if (!ofTeacher)
        {
            RunConfig recipe = RecipeReader.Read<RunConfig>(path, []);
            Assert.Equal(recipe.Training.Steps, result.GetProperty("steps").GetInt32());
            Assert.Equal(
                (long)recipe.Training.Steps * recipe.Training.BatchSequences * recipe.Data.SequenceLength,
                result.GetProperty("tokens").GetInt64()
            );
            if (
                result.GetProperty("machine").TryGetProperty("products", out JsonElement products)
                && products.GetString() == "cuBLAS"
            )
            {
                // The claim is for a processor, the run was a GPU's.
                return;
            }

            Match cost = MinutesClaim().Match(head);
            Assert.True(cost.Success, $"{file} names no minutes");
            Assert.Equal(
                cost.Groups["cores"].Value == "one core" ? 1 : 2,
                result.GetProperty("machine").GetProperty("threads").GetInt32()
            );
            double minutes = double.Parse(cost.Groups["minutes"].Value, CultureInfo.InvariantCulture);
            double took = result.GetProperty("seconds").GetDouble() / 60;
            // A taught run of a study shared its core with others; only what ran alone can be held to the minute from above.
            Assert.True(
                minutes <= (1 + CostTolerance) * took,
                $"{file} says {minutes} minutes, the run took {took:0.0}"
            );
            Assert.True(
                minutes >= (1 - CostTolerance) * took || recipe.Distils,
                $"{file} says {minutes} minutes, the run took {took:0.0}"
            );
        }
    }

    [Theory]
    [InlineData("2026-11-25-dotnet-docs-study")]
    [InlineData("2026-11-25-salt-study")]
    [InlineData("2026-11-26-next-salt-study")]
    [InlineData("2026-11-26-salt-screening")]
    [InlineData("2026-11-26-twice-study")]
    public void Studies_EndAsTheirHeadsSay(string experiment)
    {
        IReadOnlyDictionary<string, JsonElement> results = KeptResults.Of(experiment);
        double LossOf(string run) => results[run].GetProperty("final").GetProperty("loss").GetDouble();
        string[] RunsOf(string arm) =>
            [.. results.Keys.Where(run => run.StartsWith(arm + "/", StringComparison.Ordinal))];
        double Loss(string arm) => RunsOf(arm).Average(LossOf);
        // Seed by seed: not every arm has all of them.
        double Difference(string arm) =>
            RunsOf(arm).Average(run => LossOf(run) - LossOf("BASELINE/" + run.Split('/')[1]));
        string[] arms = [.. results.Keys.Select(run => run.Split('/')[0]).Distinct()];
        Assert.All(
            arms.Where(arm =>
                arm.StartsWith("SALT", StringComparison.Ordinal) && !arm.Contains("-70", StringComparison.Ordinal)
            ),
            arm => Assert.True(Difference(arm) < 0, arm)
        );
        Assert.True(!arms.Contains("RKD") || Loss("RKD") > Loss("BASELINE"));
        Assert.True(!arms.Contains("SALT-auto-70") || Difference("SALT-auto-70") > 0);
    }

    [Theory]
    [InlineData("finetune-arithmetic", "arithmetic", "exact_match", 10)]
    [InlineData("finetune-fairytaleqa", "fairytaleqa_sft", "f1", 10)]
    [InlineData("finetune-gsm8k", "gsm8k", "exact_match", 1)]
    [InlineData("finetune-svamp", "svamp", "exact_match", 1)]
    public void FineTuning_EndsAsItsHeadSays(string name, string task, string metric, int committed)
    {
        Match claim = ScoreClaim().Match(Head(Path.Combine(Root, "recipes", name + ".yaml")));
        Assert.True(claim.Success);
        JsonElement[] scores =
        [
            .. KeptResults
                .Of(Path.GetFileName(claim.Groups["path"].Value))
                .Where(run => run.Key.Split('/').Contains(name))
                .Select(run =>
                    run.Value.GetProperty("fine_tuning")
                        .GetProperty("tasks")
                        .GetProperty(task)
                        .GetProperty("metrics")
                        .GetProperty(metric)
                ),
        ];
        double Told(string group) => double.Parse(claim.Groups[group].Value, CultureInfo.InvariantCulture);
        Assert.Equal(committed, scores.Length);
        Assert.All(scores, score => Assert.Equal(Told("before"), score.GetProperty("before").GetDouble(), 0.01));
        Assert.Equal(Told("lowest"), scores.Min(score => score.GetProperty("after").GetDouble()), LossRounding);
        Assert.Equal(
            Told(claim.Groups["highest"].Success ? "highest" : "lowest"),
            scores.Max(score => score.GetProperty("after").GetDouble()),
            LossRounding
        );
    }

    [Fact]
    public void TheLearningRates_AreAsTheirStudySays()
    {
        IReadOnlyDictionary<string, JsonElement> results = KeptResults.Of("2026-11-25-core-learning-rate");
        double[] losses =
        [
            .. new[] { "LR-4e-3", "LR-8e-3", "LR-16e-3" }.Select(arm =>
                results[arm + "/seed-1"].GetProperty("final").GetProperty("loss").GetDouble()
            ),
        ];
        Assert.Equal(losses[0], losses[1], 0.01);
        Assert.True(losses[2] > losses[0] + 0.05);
    }

    [Theory]
    [InlineData("paper-1.5b-2.8b", "paper-1.5b", 0.5)]
    [InlineData("paper-2.8b-8.6b", "paper-2.8b", 1.0 / 3)]
    public void ThePapersRecipes_CostWhatTheySay(string name, string teacher, double teachersShare)
    {
        string path = Path.Combine(Root, "recipes", name + ".yaml");
        (int code, string output, string error) = SalternProcess.Run(
            "plan",
            path,
            "--teacher",
            teacher,
            "--seconds",
            "0",
            "--json"
        );
        Assert.True(code == 0, error);
        using var document = JsonDocument.Parse(output);
        JsonElement cost = document.RootElement.GetProperty("plan").GetProperty("cost");
        double baseline = cost.GetProperty("baseline").GetDouble();
        Assert.Equal(
            double.Parse(FlopClaim().Match(Head(path)).Groups["flops"].Value, CultureInfo.InvariantCulture),
            baseline,
            0.05 * baseline
        );
        Assert.Equal(teachersShare, cost.GetProperty("teacher_training").GetDouble() / baseline, 0.06);
    }

    private static string Root { get; } = RecipeTests.Root();

    private static string Head(string path) =>
        string.Join(
            ' ',
            File.ReadLines(path).TakeWhile(line => line.StartsWith('#')).Select(line => line.TrimStart('#', ' '))
        );

    private static JsonElement Parse(string file) => JsonDocument.Parse(File.ReadAllText(file)).RootElement;

    [GeneratedRegex(
        @"Expected: final loss (?<loss>\d+\.\d\d) nats per token[^(]*\((?<teacher>the teacher of )?(?<path>experiments/[^)]+)\)"
    )]
    private static partial Regex LossClaim();

    [GeneratedRegex(
        @"Expected: (?:exact match|token F1) (?<before>\d\.\d\d) before, "
            + @"(?<lowest>\d\.\d\d)(?: to (?<highest>\d\.\d\d))? after \((?<path>experiments/[^)]+)\)"
    )]
    private static partial Regex ScoreClaim();

    [GeneratedRegex(@"Cost: about (?<minutes>\d+) minutes on (?<cores>one core|two cores)")]
    private static partial Regex MinutesClaim();

    [GeneratedRegex(@"Cost: (?<flops>[\d.]+e\d+) FLOP")]
    private static partial Regex FlopClaim();

    [GeneratedRegex(@"experiments/[\w./-]+")]
    private static partial Regex ExperimentPath();
}
