using Saltern.Guidance;
using Saltern.Runs;
using Saltern.Selection;

namespace Saltern.Samples;

/// <summary>A selection score of one's own: the share of tokens that the teacher finds neither obvious nor hopeless; stage 1 then draws the best third.</summary>
internal static class OwnSelectionScore
{
    public static void Run(string folder)
    {
        RunConfig salt = SampleRecipes.Salt(folder);
        TeachRun.Run(
            new TeachRequest
            {
                Teacher = $"{folder}/teacher",
                Recipe = salt,
                Mode = CacheMode.Scores,
                Out = $"{folder}/scores",
                Threads = 1,
            },
            Console.WriteLine
        );
        var score = new OwnScore(
            "between 1 and 4 nats",
            labels =>
                labels.Nll.Length == 0 ? null : labels.Nll.Count(nll => nll is > 1 and < 4) / (double)labels.Nll.Length
        );
        SelectionSummary taken = SelectionRun.Run(
            $"{folder}/scores",
            null,
            new SelectionRule { Share = 0.33 },
            $"{folder}/selection",
            score
        );
        Console.WriteLine($"{taken.Chosen} of {taken.Scored} samples by \"{score.Name}\"");
        TrainFromCSharp.Train(
            salt with
            {
                Name = "own-score",
                Selection = new SelectionConfig { Path = $"{folder}/selection" },
            },
            folder
        );
    }
}
