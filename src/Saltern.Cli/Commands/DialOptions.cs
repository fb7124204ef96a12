using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.Hosting;
using Saltern.Planning;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary>The options of one dial, which stand for a recipe: of <c>saltern recipe make</c> and <c>saltern train --size</c>.</summary>
internal sealed record DialOptions
{
    /// <summary>In place of a size: show the named shapes.</summary>
    public const string ListSizes = "list";

    // Time for measuring steps before a run of some minutes, at most; short runs give a twentieth of themselves.
    private const double LongestMeasurement = 20;

    /// <summary><c>--size</c>.</summary>
    public Option<string?> Size { get; } =
        new("--size")
        {
            Description =
                "Parameters of the model: 350k, 7m, 1.5b; everything else of the recipe follows from it. "
                + "'recipe presets' shows the named shapes.",
        };

    /// <summary><c>--data</c>.</summary>
    public Option<string?> Data { get; } = new("--data") { Description = "Folder of saltern prepare." };

    /// <summary><c>--teacher</c>.</summary>
    public Option<string?> Teacher { get; } =
        new("--teacher")
        {
            Description =
                "Small model that gives soft labels in the first part of the run: run or Hugging Face folder.",
        };

    /// <summary><c>--tokens</c>.</summary>
    public Option<string?> Tokens { get; } =
        new("--tokens")
        {
            Description =
                "Tokens of the run: 6m, 1.2b. By default 20 for each parameter, as far as four readings of the data give.",
        };

    /// <summary><c>--minutes</c>.</summary>
    public Option<double?> Minutes { get; } =
        new("--minutes") { Description = "Minutes of the run instead: its steps are timed here first." };

    /// <summary><c>--grow</c>.</summary>
    public Option<bool> Grow { get; } =
        new("--grow") { Description = "Begin as a model of fewer layers, which grows into the whole one." };

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [Size, Data, Teacher, Tokens, Minutes, Grow];

    /// <summary>Whether any was given.</summary>
    public bool Any(ParseResult parsed) => All.Any(option => parsed.GetResult(option) is { Implicit: false });

    /// <summary>The recipe that they mean.</summary>
    /// <param name="console">Told what was measured and decided.</param>
    /// <param name="cancellation">Ends the measurement.</param>
    /// <exception cref="ConfigurationException">They do not fit together.</exception>
    public string Recipe(ParseResult parsed, Output console, CancellationToken cancellation)
    {
        double? minutes = parsed.GetValue(Minutes);
        string? tokens = parsed.GetValue(Tokens);
        if (minutes is not null && tokens is not null)
        {
            throw new ConfigurationException("--minutes and --tokens say the same in two ways. Give one of them.");
        }

        if (minutes is not (null or (> 0 and < 1e7)))
        {
            throw new ConfigurationException($"--minutes = {minutes} must be above 0 and below 10 million.");
        }

        SizeDial dial = Dial(parsed);
        dial.CheckTeacher();
        if (tokens is not null)
        {
            dial = dial with { Tokens = SizeDial.ParseCount(tokens, "--tokens", 10e3, 1e15) };
        }

        if (minutes is double wanted)
        {
            dial = Timed(dial, wanted, console, cancellation);
        }

        foreach (string remark in dial.Remarks())
        {
            console.Line(remark);
        }

        // Its first line says how it was made; the second leads editors to the schema.
        string recipe = dial.Recipe();
        int second = recipe.IndexOf('\n', StringComparison.Ordinal) + 1;
        string line = ShippedSchema.LineFor(ShippedSchema.Recipe) is string schema ? schema + "\n" : "";
        return recipe.Insert(second, line);
    }

    /// <summary>Name of the run that they mean.</summary>
    /// <exception cref="ConfigurationException">They do not fit together.</exception>
    public string Name(ParseResult parsed) => Dial(parsed).Name;

    private SizeDial Dial(ParseResult parsed)
    {
        string size =
            parsed.GetValue(Size)
            ?? throw new ConfigurationException("--size is missing: how many parameters, such as --size 7m.");
        string data =
            parsed.GetValue(Data)
            ?? throw new ConfigurationException(
                "--data is missing: the folder that 'saltern prepare' wrote, such as --data data/core."
            );
        return SizeDial.Of(size, data) with
        {
            TeacherPath = parsed.GetValue(Teacher),
            Grows = parsed.GetValue(Grow),
            Command = Command(parsed),
        };
    }

    private static SizeDial Timed(SizeDial dial, double minutes, Output console, CancellationToken cancellation)
    {
        SizeDial guess = dial.GuessFor(minutes);
        RunConfig config = guess.Config();
        EngineSetup engine = EngineSetup.Prepare();
        BenchmarkResult measured = RecipeBenchmark.Run(
            config,
            engine.Threads,
            TimeSpan.FromSeconds(Math.Clamp(minutes * 3, 3, LongestMeasurement)),
            text => console.Line("measuring " + text),
            cancellation
        );
        var plan = RunPlan.Of(config, teacherPreset: null, teacherSteps: null);
        TimePlan time = TimePlan.Measured(config, plan.Cost, plan.Memory, measured, prices: null);
        if (measured.LoadedShare > 0.05)
        {
            console.Line("Other programs took part of the machine meanwhile: on a quiet one the run will be shorter.");
        }

        return guess.Within(minutes, time.Run);
    }

    // What whoever reads the recipe would have to type to get it again.
    private string Command(ParseResult parsed)
    {
        IEnumerable<string> words = All.Where(option => parsed.GetResult(option) is { Implicit: false })
            .Select(option =>
                option == Grow
                    ? option.Name
                    : $"{option.Name} {string.Join(' ', parsed.GetResult(option)!.Tokens.Select(token => token.Value))}"
            );
        return "saltern recipe make " + string.Join(' ', words);
    }
}
