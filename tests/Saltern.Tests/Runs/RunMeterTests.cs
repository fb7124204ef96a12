using System.Diagnostics.Metrics;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

public sealed class RunMeterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<Measurement> _seen = [];
    private readonly Dictionary<string, Instrument> _instruments = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AListener_HearsWhatTheLogHas_UnderTheRunsName()
    {
        // Other tests train beside this one: the name tells them apart.
        string name = $"metered-{Guid.NewGuid():N}";
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Saltern")
                {
                    lock (_seen)
                    {
                        _instruments[instrument.Name] = instrument;
                    }

                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>(
            (instrument, value, tags, _) => Hear(name, instrument, value, tags)
        );
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Hear(name, instrument, value, tags));
        listener.Start();
        RunConfig config = TinyRun.Shared.Salt(
            name,
            40,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        using (TrainingRun run = TrainingRun.Open(config, _folder["run"], TinyRun.Quick))
        {
            run.Continue(20, CancellationToken.None);
        }

        using (TrainingRun run = TrainingRun.Open(config, _folder["run"], TinyRun.Quick with { Resume = true }))
        {
            run.Continue(40, CancellationToken.None);
        }

        MetricsTable log = RunRecord.Load(_folder["run"]).Metrics;
        foreach (
            (string metric, string instrument, string unit) in ((string, string, string)[])
                [
                    (MetricNames.TrainLoss, "saltern.train.loss", "{nat}"),
                    (MetricNames.ValidLoss, "saltern.valid.loss", "{nat}"),
                    (MetricNames.TokensPerSecond, "saltern.perf.tokens_per_second", "{token}/s"),
                    (MetricNames.LearningRate, "saltern.train.learning_rate", ""),
                    (MetricNames.TeacherWeight, "saltern.train.weight", ""),
                    (MetricNames.ResidentMib, "saltern.perf.resident_mib", "MiBy"),
                ]
        )
        {
            double[] expected = [.. log.Series(metric).Select(point => point.Value)];
            Assert.NotEmpty(expected);
            Assert.Equal(expected, Of(instrument).Select(one => one.Value));
            Assert.Equal(unit, _instruments[instrument].Unit);
        }

        // Domains are tags of one gauge.
        Assert.Equal(
            log.Series("valid/second/loss").Select(point => point.Value),
            Of("saltern.valid.domain_loss").Where(one => one.Tags["domain"] is "second").Select(one => one.Value)
        );

        // 40 steps of 8 sequences of 32 tokens, counted once though the run was resumed.
        Assert.Equal(40 * 8 * 32, Of("saltern.tokens.trained").Sum(one => one.Value));
        Measurement[] steps = Of("saltern.step.duration");
        Assert.Equal(8, steps.Length); // a line of the log every five steps
        Assert.Equal(
            log.Series(MetricNames.TokensPerSecond).Select(point => 8 * 32 / point.Value),
            steps.Select(one => one.Value),
            (one, other) => Math.Abs(one - other) < 1e-9 * one
        );
    }

    private Measurement[] Of(string instrument) => [.. _seen.Where(one => one.Instrument == instrument)];

    private void Hear(string run, Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var known = new Dictionary<string, object?>(tags.ToArray());
        if (known.GetValueOrDefault("run") as string == run)
        {
            lock (_seen)
            {
                _seen.Add(new Measurement(instrument.Name, value, known));
            }
        }
    }

    private sealed record Measurement(string Instrument, double Value, Dictionary<string, object?> Tags);
}
