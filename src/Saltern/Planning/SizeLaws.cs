// From a number of parameters and of tokens to everything else that a recipe asks for: laws with their sources, and our own readings where there is none.
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Models;

namespace Saltern.Planning;

/// <summary>Rules by which a model's size decides its shape, its budget and how it is trained.</summary>
internal static class SizeLaws
{
    /// <summary>Tokens for each parameter where nobody says how many (arXiv:2203.15556).</summary>
    public const double TokensPerParameter = 20;

    /// <summary>Times that text may be read before another reading is worth less than new text by much (arXiv:2305.16264).</summary>
    public const double WorthwhileEpochs = 4;

    /// <summary>Where the law, which was fitted to models of 60M and more, is no longer followed: the best rate of four for a model of one million (experiments/2026-11-30-growth).</summary>
    public const double HighestLearningRate = 8.0e-3;

    // Of the law, which is AdamW's with a cosine: Muon's best rate of four with the schedule here is 0.65 of it at 0.8M weights and 6.1M tokens (experiments/2026-11-30-growth),
    // and a rate that stays up is to be lower than one that falls from the beginning (arXiv:2405.18392).
    private const double ShareOfStepLaw = 0.65;

    /// <summary>Largest number of layers that is tried.</summary>
    private const int MostLayers = 128;

    // A shape must meet the size that was asked for within this much; the widths are coarse for models of less than a million parameters.
    private const double SizeTolerance = 0.25;

    /// <summary>A Llama shape of about so many parameters, the embedding among them.</summary>
    /// <param name="parameters">Parameters wanted.</param>
    /// <param name="vocabulary">Token ids of the data set.</param>
    /// <param name="sequenceLength">T, tokens.</param>
    /// <returns>The shape closest to the size and to the width over depth of <see cref="WidthOverDepth"/>, resolved.</returns>
    /// <exception cref="ConfigurationException">No shape of this size has room for the vocabulary.</exception>
    /// <param name="layersMultipleOf">The number of layers is a multiple of it, for a model that grows out of a part of them.</param>
    public static TransformerConfig Shape(
        double parameters,
        int vocabulary,
        int sequenceLength,
        int layersMultipleOf = 1
    )
    {
        TransformerConfig? best = null;
        double least = double.PositiveInfinity;
        foreach (int width in Widths())
        {
            for (int layers = Math.Max(2, layersMultipleOf); layers <= MostLayers; layers += layersMultipleOf)
            {
                TransformerConfig shape = OfWidth(width, layers).Resolve(vocabulary, sequenceLength);
                double size = Math.Log(ModelFlops.Parameters(shape) / parameters);
                if (Math.Abs(size) > SizeTolerance)
                {
                    continue;
                }

                double form = Math.Log((double)width / layers / WidthOverDepth(parameters));
                double distance = (4 * size * size) + (form * form);
                if (distance < least)
                {
                    (least, best) = (distance, shape);
                }
            }
        }

        return best
            ?? throw new ConfigurationException(
                $"--size: no model of {Text(parameters)} parameters has room for the {vocabulary:N0} tokens of the data set: "
                    + $"the smallest has {Text(Smallest(vocabulary, sequenceLength))}, the largest tried 20b. "
                    + "Give another size, or prepare the data with a smaller vocabulary."
            );
    }

    /// <summary>D/L that is aimed at: 32 for a few million parameters, 64 from 30 million on, 128 from 8 billion on (what the presets and published families have).</summary>
    public static double WidthOverDepth(double parameters)
    {
        double small = 32 * Math.Cbrt(parameters / 4e6);
        double large = 64 * Math.Cbrt(parameters / 1e9);
        return Math.Clamp(Math.Max(Math.Min(small, 64), large), 32, 128);
    }

    /// <summary>η, highest learning rate of Muon with a rate that stays up for most of the run: 0.65 of 1.79·N^−0.713·D^0.307 (arXiv:2503.04715), two digits; at most <see cref="HighestLearningRate"/>.</summary>
    /// <param name="weights">N, parameters without the embedding.</param>
    /// <param name="tokens">D, tokens of the run.</param>
    public static double LearningRate(double weights, double tokens) =>
        TwoDigits(
            Math.Min(ShareOfStepLaw * 1.79 * Math.Pow(weights, -0.713) * Math.Pow(tokens, 0.307), HighestLearningRate)
        );

    /// <summary>Tokens of a step: 0.58·D^0.571 (arXiv:2503.04715).</summary>
    /// <param name="tokens">D, tokens of the run.</param>
    public static double BatchTokens(double tokens) => 0.58 * Math.Pow(tokens, 0.571);

    /// <summary>T, tokens of a sequence: longer for models that have something to say about more.</summary>
    public static int SequenceLength(double parameters) =>
        parameters switch
        {
            < 2.5e6 => 256,
            < 60e6 => 512,
            < 600e6 => 1_024,
            _ => 2_048,
        };

    /// <summary>A sequence count near a number of tokens, of which two, four or eight ranks can have equal parts where it is large enough.</summary>
    public static int BatchSequences(double batchTokens, int sequenceLength)
    {
        double sequences = batchTokens / sequenceLength;
        int multiple = sequences switch
        {
            < 6 => 2,
            < 24 => 4,
            _ => 8,
        };
        return Math.Max(multiple, (int)Math.Round(sequences / multiple) * multiple);
    }

    /// <summary>Steps over which the rate rises: a twenty-fifth of the run, at most the 2,000 of arXiv:2503.04715.</summary>
    public static int WarmupSteps(int steps) => Math.Clamp(steps / 25, 1, 2_000);

    /// <summary>Share of the run over which the rate falls to 0 (arXiv:2404.06395; lower at the end than a cosine here, experiments/2026-11-30-growth).</summary>
    public const double DecayShare = 0.3;

    /// <summary>The stages of a model that grows: of eight layers and more a quarter of them for a quarter of the steps and half for the next, which took 0.75 of the FLOPs to the same loss
    /// (experiments/2026-11-30-growth); of fewer half of them for a fifth.</summary>
    /// <param name="layers">L, of the whole model; a multiple of four, or of two below eight.</param>
    /// <param name="steps">Of the run.</param>
    public static IReadOnlyList<GrowthStageConfig> GrowthStages(int layers, int steps)
    {
        GrowthStageConfig Stage(double until, int parts) =>
            new()
            {
                Until = StepPoint.FromShare(until),
                Model = new GrowthModelConfig { NumHiddenLayers = layers / parts },
                Optimizer = OptimizerTransfer.Kept,
                WarmupSteps = Math.Clamp(steps / 75, 1, 200),
            };
        if (layers < 8)
        {
            return [Stage(0.2, 2)];
        }

        return [Stage(0.25, 4), Stage(0.5, 2)];
    }

    private static IEnumerable<int> Widths()
    {
        for (int width = 32; width < 256; width += 32)
        {
            yield return width;
        }

        for (int width = 256; width < 2_048; width += 64)
        {
            yield return width;
        }

        for (int width = 2_048; width <= 8_192; width += 128)
        {
            yield return width;
        }
    }

    // Heads of 64, of 32 in narrow models; the feed-forward layer's 8/3 in steps that products like.
    private static TransformerConfig OfWidth(int width, int layers)
    {
        int head = width < 256 ? 32 : 64;
        if (width >= 2_048)
        {
            head = 128;
        }

        int step = width < 256 ? 32 : 64;
        return new TransformerConfig
        {
            HiddenSize = width,
            NumHiddenLayers = layers,
            NumAttentionHeads = width / head,
            IntermediateSize = ((8 * width / 3) + step - 1) / step * step,
            TieWordEmbeddings = true,
        };
    }

    private static double Smallest(int vocabulary, int sequenceLength) =>
        ModelFlops.Parameters(OfWidth(32, 2).Resolve(vocabulary, sequenceLength));

    /// <summary>Rounds to two significant digits, so that a recipe is read at a glance.</summary>
    public static double TwoDigits(double value)
    {
        double unit = Math.Pow(10, Math.Floor(Math.Log10(value)) - 1);
        return Math.Round(value / unit) * unit;
    }

    /// <summary>A count as the dial takes it: 1.3m, 120m, 2.8b.</summary>
    public static string Text(double count)
    {
        (double scale, string suffix) = count switch
        {
            < 1e6 => (1e3, "k"),
            < 1e9 => (1e6, "m"),
            _ => (1e9, "b"),
        };
        double scaled = count / scale;
        return string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{(scaled < 100 ? Math.Round(scaled, 1) : Math.Round(scaled))}{suffix}"
        );
    }
}
