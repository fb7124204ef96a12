#:project ../../src/Saltern/Saltern.csproj
#:property PublishAot=false
// Step times of plain training, of stage 1 from a cache and of stage 1 with the live teacher, in turns in one process:
//   dotnet run -c Release experiments/2026-11-25-teach-and-select/StepTimes.cs -- DATA TEACHER CACHE [ROUNDS] [THREADS]
// CACHE is a pass for recipes/core-salt-cached.yaml with training.steps=300.
using System.Diagnostics;
using System.Globalization;
using Saltern.Configuration;
using Saltern.Engine;
using Saltern.Training;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
NativeRuntime.Configure(tuneAllocator: true);
string[] common =
[
    $"data.path={args[0]}",
    "training.steps=300",
    "training.evaluate_every=100000",
    "training.checkpoint_every=100000",
    "training.evaluation_tokens=4096",
    $"threads={(args.Length > 4 ? args[4] : "1")}",
];
int rounds = args.Length > 3 ? int.Parse(args[3]) : 12;
(string Name, string Recipe, string[] Set)[] arms =
[
    ("plain", "core-baseline", []),
    ("cached", "core-salt-cached", [$"teacher.cache={args[2]}"]),
    ("live", "core-salt", [$"teacher.path={args[1]}"]),
];
string folder = Directory.CreateTempSubdirectory("saltern-steps-").FullName;
var times = arms.ToDictionary(arm => arm.Name, _ => new List<double>());
TrainingRun[] runs =
[
    .. arms.Select(arm =>
        TrainingRun.Open(
            RecipeReader.Read<RunConfig>($"recipes/{arm.Recipe}.yaml", [.. common, .. arm.Set]),
            Path.Combine(folder, arm.Name),
            new TrainingRunOptions { MatmulPeak = 1e11, OnStep = report => times[arm.Name].Add(report.Seconds) }
        )
    ),
];

// The processor's time besides the clock's: another program's load stretches the clock, but hardly the processor's time of a single thread.
var processor = arms.ToDictionary(arm => arm.Name, _ => new List<double>());
const int StepsOfARound = 2;
for (int round = 0; round < rounds; round++)
{
    foreach ((TrainingRun run, string name) in runs.Zip(arms.Select(arm => arm.Name)))
    {
        TimeSpan before = ProcessorTime();
        run.Continue(run.State.Step + StepsOfARound, CancellationToken.None);
        double each = (ProcessorTime() - before).TotalSeconds / StepsOfARound;
        processor[name].AddRange(Enumerable.Repeat(each, StepsOfARound));
    }
}

double plain = Median(times["plain"]);
foreach ((string name, List<double> seconds) in times)
{
    Console.WriteLine(
        $"{name, -8} median {1000 * Median(seconds), 7:0.0} ms {Median(seconds) / plain:0.000} of plain; processor {1000 * Median(processor[name]), 7:0.0} ms {Median(processor[name]) / Median(processor["plain"]):0.000} of plain"
    );
}

foreach (TrainingRun run in runs)
{
    run.Dispose();
}

Directory.Delete(folder, recursive: true);

TimeSpan ProcessorTime()
{
    using Process process = Process.GetCurrentProcess();
    return process.TotalProcessorTime;
}

double Median(List<double> values)
{
    double[] sorted = [.. values.Skip(StepsOfARound).Order()];
    return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
}
