using System.Globalization;
using System.Text;

namespace Saltern.Watch.Tests;

/// <summary>A folder with runs as `saltern train` leaves them, small enough to compute by hand.</summary>
internal sealed class RunOnDisk : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("saltern-watch-").FullName;

    public string this[string name] => Path.Combine(Folder, name);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>A run's folder with a recipe and lines every 10 steps; a distilled run's teacher leaves after step 40.</summary>
    public string Add(string name, bool distilled, int steps, Func<int, double> loss, bool finished)
    {
        string run = this[name];
        Directory.CreateDirectory(run);
        File.WriteAllText(
            Path.Combine(run, "recipe.yaml"),
            $"name: {name}-seed-1\nseed: 1\ntraining:\n  steps: 100\n  log_every: 10\n"
                + (distilled ? "teacher:\n  path: runs/teacher\n" : "")
        );
        var lines = new StringBuilder();
        for (int step = 10; step <= steps; step += 10)
        {
            lines.Append(Line(step, loss(step), distilled));
        }

        File.WriteAllText(Path.Combine(run, "metrics.jsonl"), lines.ToString());
        if (finished)
        {
            File.WriteAllText(
                Path.Combine(run, "result.json"),
                $$"""
                { "schema": "saltern.result/1", "name": "{{name}}-seed-1", "arm": "{{name}}", "seed": 1,
                  "steps": {{steps}}, "planned_steps": 100, "seconds": {{steps}}, "flops": {{steps}}e9,
                  "text_samples": [ { "prompt": "The cat ", "text": "sees <b>the harbour</b>." } ] }
                """
            );
        }

        return run;
    }

    public static string Line(int step, double loss, bool distilled)
    {
        bool taught = distilled && step <= 40;
        string weight = taught ? "0.667" : "0";
        string teacher = "";
        if (taught)
        {
            teacher = """, "train/teacher_nll":4.5,"train/kl_teacher_student":0.7,"train/agreement":0.4""";
        }
        else if (step == 50 && distilled)
        {
            teacher = """, "event/stage1_end":40""";
        }

        string nats = loss.ToString("R", CultureInfo.InvariantCulture);
        return $$"""{"step":{{step}},"tokens":{{step * 2_000}},"seconds":{{step}},"cost/flops":{{step}}e9"""
            + $$""","train/student_nll":{{nats}},"train/weight":{{weight}},"train/learning_rate":0.001"""
            + $$""","perf/tokens_per_second":5000,"perf/mfu":0.5,"perf/resident_mib":400{{teacher}}}"""
            + "\n"
            + $$"""{"step":{{step}},"seconds":{{step}},"cost/flops":{{step}}e9,"valid/loss":{{nats}}"""
            + $$""","valid/wiki/loss":{{nats}},"valid/bucket/easy/loss":{{nats}}}"""
            + "\n";
    }
}
