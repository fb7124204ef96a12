// One dial: a size, a data set and perhaps a small model, and the recipe that they mean, with its reasons beside each line.
using System.Globalization;
using System.Text;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Runs;
using Saltern.Shards;

namespace Saltern.Planning;

/// <summary>What a user says of a run: everything else follows by <see cref="SizeLaws"/>.</summary>
internal sealed record SizeDial
{
    /// <summary>Smallest and largest size, parameters.</summary>
    private const double SmallestSize = 50e3;
    private const double LargestSize = 20e9;

    // Fewer steps than this are no training: the rate has hardly risen before it falls.
    private const int FewestSteps = 50;

    // Of one processor core's products at the sizes that are trained on one; only the first guess for --minutes depends on it.
    private const double GuessedFlopsPerSecond = 60e9;

    private readonly DatasetManifest _data;

    private SizeDial(DatasetManifest data) => _data = data;

    /// <summary>Parameters wanted, the embedding among them.</summary>
    public required double Size { get; init; }

    /// <summary>Folder of <c>saltern prepare</c>.</summary>
    public required string DataPath { get; init; }

    /// <summary>Small model that teaches in stage 1; null for BASELINE.</summary>
    public string? TeacherPath { get; init; }

    /// <summary>Tokens of the run; null for what the size and the data allow.</summary>
    public double? Tokens { get; init; }

    /// <summary>Whether the run begins as a model of fewer layers.</summary>
    public bool Grows { get; init; }

    /// <summary>Decides initial weights and order of samples.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What the recipe says for itself: the command that makes it.</summary>
    public string Command { get; init; } = "saltern recipe make";

    /// <summary>Name of the run: its arm and size.</summary>
    public string Name
    {
        get
        {
            string arm = TeacherPath is null ? "baseline" : "salt";
            if (Grows)
            {
                arm = TeacherPath is null ? "grown" : "grown-salt";
            }

            return $"{arm}-{SizeLaws.Text(Size)}";
        }
    }

    /// <summary>A dial over a data set.</summary>
    /// <exception cref="ConfigurationException">The size is no size.</exception>
    /// <exception cref="DataFormatException">There is no data set.</exception>
    public static SizeDial Of(string size, string dataPath) =>
        new(DatasetManifest.Load(dataPath))
        {
            Size = ParseCount(size, "--size", SmallestSize, LargestSize),
            DataPath = dataPath,
        };

    /// <summary>Reads a count with a suffix: 350k, 7m, 1.5b.</summary>
    /// <param name="option">What messages call it.</param>
    /// <exception cref="ConfigurationException">It is no count, or outside the limits.</exception>
    public static double ParseCount(string text, string option, double least, double most)
    {
        string digits = text.Trim().ToLowerInvariant();
        double scale = digits.LastOrDefault() switch
        {
            'k' => 1e3,
            'm' => 1e6,
            'b' or 'g' => 1e9,
            _ => 1,
        };
        if (scale > 1)
        {
            digits = digits[..^1];
        }

        if (
            !double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            || !(value * scale >= least && value * scale <= most)
        )
        {
            throw new ConfigurationException(
                $"{option} = {text} is no number from {SizeLaws.Text(least)} to {SizeLaws.Text(most)}. "
                    + "Write it with k, m or b: 350k, 7m, 1.5b."
            );
        }

        return value * scale;
    }

    /// <summary>The model's shape.</summary>
    /// <exception cref="ConfigurationException">No shape of this size has room for the vocabulary.</exception>
    public TransformerConfig Shape() =>
        SizeLaws.Shape(Size, _data.VocabularySize, SizeLaws.SequenceLength(Size), Grows ? 4 : 1);

    /// <summary>A first guess at the tokens that fit into some minutes here, to be corrected by a measurement.</summary>
    public SizeDial GuessFor(double minutes)
    {
        double perToken = ModelFlops.TrainingPerToken(Shape(), SizeLaws.SequenceLength(Size));
        return this with { Tokens = Math.Max(FewestTokens, minutes * 60 * GuessedFlopsPerSecond / perToken) };
    }

    /// <summary>The dial whose run takes some minutes.</summary>
    /// <param name="minutes">Wanted.</param>
    /// <param name="seconds">What this dial's run would take.</param>
    /// <exception cref="ConfigurationException">Too few steps would fit.</exception>
    public SizeDial Within(double minutes, double seconds)
    {
        double tokens = TokensOfRun * minutes * 60 / seconds;
        if (tokens < FewestTokens)
        {
            throw new ConfigurationException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"--minutes = {minutes}: {tokens / 1e6:0.00}M tokens fit into it here, fewer than {FewestSteps} steps. "
                ) + "Give more minutes, or a smaller size."
            );
        }

        return this with
        {
            Tokens = tokens,
        };
    }

    /// <summary>Remarks for whoever asked: what was decided that costs something.</summary>
    public IEnumerable<string> Remarks()
    {
        double epochs = TokensOfRun / TrainingTokens;
        if (epochs > SizeLaws.WorthwhileEpochs)
        {
            yield return Text($"the run reads its {TrainingTokens / 1e6:0.0}M training tokens {epochs:0.0} times; ")
                + Text($"beyond {SizeLaws.WorthwhileEpochs} times ")
                + "they are worth less and less (arXiv:2305.16264): prepare more text, or train a smaller model.";
        }
        else if (Tokens is null && TokensOfRun < 0.99 * SizeLaws.TokensPerParameter * Size)
        {
            yield return Text(
                $"{TokensOfRun / 1e6:0.0}M tokens are what the data set gives in {SizeLaws.WorthwhileEpochs} readings; "
            )
                + Text(
                    $"{SizeLaws.TokensPerParameter * Size / 1e6:0}M would be {SizeLaws.TokensPerParameter} for each parameter."
                );
        }
    }

    /// <summary>The recipe, commented.</summary>
    /// <exception cref="ConfigurationException">Something does not fit together.</exception>
    public string Recipe()
    {
        TransformerConfig model = Shape();
        double parameters = ModelFlops.Parameters(model);
        double weights = parameters - ((double)model.VocabSize * model.HiddenSize);
        int length = SizeLaws.SequenceLength(Size);
        int batch = SizeLaws.BatchSequences(SizeLaws.BatchTokens(TokensOfRun), length);
        int steps = Math.Max(FewestSteps, (int)Math.Round(TokensOfRun / ((double)batch * length)));
        double rate = SizeLaws.LearningRate(weights, TokensOfRun);
        var yaml = new StringBuilder();
        void Line(string text) => yaml.Append(text).Append('\n');

        Line($"# Made by: {Command}");
        Line(
            Text(
                $"# {Arm()} with {SizeLaws.Text(parameters)} parameters over {SizeLaws.Text((double)steps * batch * length)} tokens, "
            )
                + Text(
                    $"{steps * (double)batch * length / parameters:0.0} for each parameter (arXiv:2203.15556 has 20), "
                )
                + Text($"{steps * (double)batch * length / TrainingTokens:0.00} readings of the training text.")
        );
        Line(
            "# Every line may be changed: 'saltern recipe check FILE' reads it, 'saltern plan FILE' says what it needs and costs."
        );
        Line($"name: {Name}");
        Line($"seed: {Seed}");
        Line($"data: {{ path: {ScalarText.Quote(DataPath)}, sequence_length: {length} }}");
        Line(
            Text(
                $"# Llama's form; width over depth {(double)model.HiddenSize / model.NumHiddenLayers:0}, heads of {model.HeadDim}, "
            ) + "a feed-forward layer of 8/3 of the width, head and embedding one matrix."
        );
        Line(
            $"model: {{ hidden_size: {model.HiddenSize}, num_hidden_layers: {model.NumHiddenLayers}, "
                + $"num_attention_heads: {model.NumAttentionHeads}, intermediate_size: {model.IntermediateSize}, "
                + "tie_word_embeddings: true }"
        );
        if (TeacherPath is not null)
        {
            Line(
                "# SALT: the small model's soft labels beside the text, until there is little left to learn from it, "
                    + "at half of the run at the latest."
            );
            Line($"teacher: {{ path: {ScalarText.Quote(TeacherPath)}, temperature: 1.0 }}");
            Line("distillation: { weight: 0.667, transition: auto }");
        }

        if (Grows)
        {
            Line("# GROWN: a model of fewer layers first, each stacked on itself (docs/growth.md).");
            Line("growth:");
            foreach (GrowthStageConfig stage in SizeLaws.GrowthStages(model.NumHiddenLayers, steps))
            {
                Line(
                    $"  - {{ until: {stage.Until}, model: {{ num_hidden_layers: {stage.Model.NumHiddenLayers} }}, "
                        + $"optimizer: kept, warmup_steps: {stage.WarmupSteps} }}"
                );
            }
        }

        Line(
            "# Muon: 0.08 nats below AdamW at equal steps here. Rate and batch by arXiv:2503.04715 (N weights without "
                + "the embedding, D tokens):"
        );
        Line(
            "# 1.79 N^-0.713 D^0.307, of which 0.65 was best with Muon and this schedule "
                + "(experiments/2026-11-30-growth); 0.58 D^0.571 tokens a step."
        );
        Line(
            $"optimizer: {{ kind: muon, learning_rate: {Number(rate)}, weight_decay: 0.1, betas: [0.9, 0.95], max_gradient_norm: 1.0 }}"
        );
        Line(
            "# The rate stays up and falls to 0 over the last 30 % (arXiv:2404.06395): lower at the end than a cosine "
                + "here (experiments/2026-11-30-growth)."
        );
        Line(
            Text($"schedule: {{ kind: wsd, warmup_steps: {SizeLaws.WarmupSteps(steps)}, ")
                + Text($"decay: {SizeLaws.DecayShare}, final_share: 0 }}")
        );
        Line(
            $"training: {{ steps: {steps}, batch_sequences: {batch}, evaluate_every: {Every(steps, 15)}, "
                + $"checkpoint_every: {Every(steps, 6)}, evaluation_tokens: {EvaluationTokens}, sample_text: true }}"
        );
        Line(
            "# bfloat16 products where the processor has them and they pay, else float32; threads: all cores that are free."
        );
        Line("precision: auto");
        return yaml.ToString();
    }

    /// <summary>The recipe as the program reads it.</summary>
    /// <exception cref="ConfigurationException">Something does not fit together.</exception>
    public RunConfig Config() => RecipeReader.Parse<RunConfig>(Recipe(), Command, []);

    /// <summary>Refuses a small model that cannot teach this one.</summary>
    /// <exception cref="ConfigurationException">It is not smaller.</exception>
    public void CheckTeacher()
    {
        if (TeacherPath is null)
        {
            return;
        }

        long teacher = ModelFlops.Parameters(ModelFolder.LoadConfig(ModelLocation.Resolve(TeacherPath)));
        long student = ModelFlops.Parameters(Shape());
        if (teacher >= student)
        {
            throw new ConfigurationException(
                $"--teacher {TeacherPath} has {SizeLaws.Text(teacher)} parameters, the model of --size {SizeLaws.Text(student)}: "
                    + "SALT's teacher is the smaller one. Give a larger size, or a smaller teacher."
            );
        }
    }

    private double TrainingTokens => Math.Max(1, _data.Domains.Sum(domain => domain.Train?.Tokens ?? 0));

    private long ValidTokens => _data.Domains.Sum(domain => domain.Valid?.Tokens ?? 0);

    private double FewestTokens => FewestSteps * 2.0 * SizeLaws.SequenceLength(Size);

    // D: what was asked for; else 20 a parameter, as far as the text reaches.
    private double TokensOfRun =>
        Tokens ?? Math.Min(SizeLaws.TokensPerParameter * Size, SizeLaws.WorthwhileEpochs * TrainingTokens);

    private long EvaluationTokens => Math.Clamp(ValidTokens, 1, 49_152);

    private string Arm() => Name[..Name.LastIndexOf('-')].ToUpperInvariant().Replace('-', '+');

    private static int Every(int steps, int times) => Math.Max(1, steps / times);

    private static string Number(double value)
    {
        int exponent = (int)Math.Floor(Math.Log10(value) + 1e-9);
        return string.Create(CultureInfo.InvariantCulture, $"{value / Math.Pow(10, exponent):0.0}e{exponent}");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
