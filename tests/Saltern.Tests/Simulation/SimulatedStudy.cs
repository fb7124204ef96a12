using Saltern.Files;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Studies;

namespace Saltern.Tests.Simulation;

/// <summary>A study of two short runs: trained, kept, timed and packed.</summary>
internal sealed class SimulatedStudy : SimulatedWork
{
    public override string Name => "study";

    public override void Run(string root, Action<string> done)
    {
        StudyRun[] jobs = [.. new[] { "A", "B" }.Select(arm => new StudyRun(arm, 5, SimulatedTraining.Recipe("one")))];
        string runs = Path.Combine(root, "study-runs");
        var results = new StudyResults(Path.Combine(root, "study"));
        if (results.Pin(ComputePrecision.Fp32) != ComputePrecision.Fp32)
        {
            throw new Violation("the study computes with another precision than it began with");
        }

        IReadOnlyList<StudyOutcome> outcomes = new StudyRunner(results, runs).Run(
            jobs,
            (job, folder) =>
            {
                SimulatedTraining.Train(folder, job.Recipe, what => done($"{job.Arm} {what}"), (_, _) => { });
                return true;
            },
            _ => { }
        );
        foreach (StudyOutcome outcome in outcomes)
        {
            if (outcome.State == StudyRunState.Elsewhere)
            {
                throw new Violation($"{outcome.Job.Title} is said to be trained by another process");
            }

            if (outcome.State == StudyRunState.Failed)
            {
                throw new SalternException(outcome.Problem!);
            }

            done($"{outcome.Job.Arm} kept");
        }

        new StepTimes
        {
            Machine = new RunMachine { Processor = "P" },
            Rounds = 3,
            LoadedShare = 0.5,
            Arms = new Dictionary<string, ArmStepTimes> { ["A"] = new(2.0, null, null, null) },
        }.Save(results.Folder);
        PackedResults.Pack(results.Folder);
        done("packed");
    }

    public override void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    )
    {
        foreach (string arm in new[] { "A", "B" })
        {
            string[] own =
            [
                .. done.Where(what => what.StartsWith(arm + " ", StringComparison.Ordinal)).Select(what => what[2..]),
            ];
            SimulatedTraining.Inspect(root, $"study-runs/{arm}/seed-5", whole, own);
            string kept = $"study/results/{arm}/seed-5";
            if (own.Contains("kept") || File.Exists(Path.Combine(root, kept, RunLayout.Result)))
            {
                RequireSame(root, kept, whole);
            }
        }

        if (done.Contains("packed") || File.Exists(Path.Combine(root, "study", ResultsArchive.FileName)))
        {
            Require(root, "study/" + ResultsArchive.FileName, whole["study/" + ResultsArchive.FileName]);
        }
    }

    public override bool Counts(string file) => !file.EndsWith(FileLock.Ending, StringComparison.Ordinal);
}
