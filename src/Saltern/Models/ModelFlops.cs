namespace Saltern.Models;

/// <summary>Floating-point operations of a model by the rule of docs/method.md: products only, causal pairs only.</summary>
internal static class ModelFlops
{
    /// <summary>P: weights that take part in matrix products, the output head included whether tied or not; embedding look-ups, norms and biases excluded.</summary>
    public static long ProductWeights(TransformerConfig c)
    {
        long queries = (long)c.NumAttentionHeads * c.HeadDim;
        long keys = (long)c.NumKeyValueHeads * c.HeadDim;
        long attention = (c.HiddenSize * (queries + (2 * keys))) + (queries * c.HiddenSize);
        long feedForward = (ProjectionsIn(c) + 1) * c.HiddenSize * c.IntermediateSize;
        return (c.NumHiddenLayers * (attention + feedForward)) + ((long)c.HiddenSize * c.VocabSize);
    }

    /// <summary>All weights, biases and norms, each once.</summary>
    public static long Parameters(TransformerConfig c)
    {
        long queries = (long)c.NumAttentionHeads * c.HeadDim;
        long keys = (long)c.NumKeyValueHeads * c.HeadDim;
        long normWidth = c.HiddenSize * (c.LayerNormEps is null ? 1L : 2L);
        long norms = ((NormsOfLayer(c) * c.NumHiddenLayers) + 1) * normWidth;
        long attentionBiases = 0;
        if (c.AttentionBias || c.QkvBias)
        {
            attentionBiases += queries + (2 * keys);
        }

        if (c.AttentionBias || c.AttentionOutputBias)
        {
            attentionBiases += c.HiddenSize;
        }

        long mlpBiases = 0;
        if (c.MlpBias)
        {
            mlpBiases = (ProjectionsIn(c) * c.IntermediateSize) + c.HiddenSize;
        }

        long headNorms = 0;
        if (c.QkNorm)
        {
            headNorms = c.QkNormWhole ? queries + keys : 2L * c.HeadDim;
        }

        long total = ProductWeights(c) + norms + (c.NumHiddenLayers * (attentionBiases + mlpBiases + headNorms));
        if (!c.IsTied)
        {
            total += (long)c.VocabSize * c.HiddenSize;
        }

        if (c.LearnedPositions)
        {
            total += (long)c.PositionRows * c.HiddenSize;
        }

        if (c.LmHeadBias)
        {
            total += c.VocabSize;
        }

        return total;
    }

    /// <summary>f = 2·P + 2·L·H·A·(T + 1): forward operations per token of a sequence of T tokens. A sliding window below T leaves window·(2T + 1 − window)/T in place of T + 1.</summary>
    public static double ForwardPerToken(TransformerConfig c, int sequenceLength)
    {
        double pairs = Enumerable
            .Range(0, c.NumHiddenLayers)
            .Sum(layer => TwicePairs(c.WindowOf(layer), sequenceLength));
        return (2.0 * ProductWeights(c)) + (2.0 * c.NumAttentionHeads * c.HeadDim * pairs);
    }

    /// <summary>3f: forward and backward operations per token; recomputation is not counted.</summary>
    public static double TrainingPerToken(TransformerConfig c, int sequenceLength) =>
        3.0 * ForwardPerToken(c, sequenceLength);

    /// <summary>What training adapters adds to <see cref="TrainingPerToken"/>, below zero: 6 operations for each of their parameters, and no gradient of the P weights that products read, 2·P.</summary>
    /// <param name="adapterParameters">Elements of all A and B.</param>
    public static double AdaptersPerToken(TransformerConfig c, long adapterParameters) =>
        (6.0 * adapterParameters) - (2.0 * ProductWeights(c));

    // Twice the mean number of keys that a query of a layer sees.
    private static double TwicePairs(int layerWindow, int sequenceLength)
    {
        double window = sequenceLength;
        if (layerWindow > 0 && layerWindow < sequenceLength)
        {
            window = layerWindow;
        }

        return window * ((2.0 * sequenceLength) + 1 - window) / sequenceLength;
    }

    private static long NormsOfLayer(TransformerConfig c)
    {
        if (c.SharedAttentionNorm)
        {
            return 1;
        }

        return c.NormPlacement == NormPlacement.Around ? 4 : 2;
    }

    // From the hidden size to the feed-forward size: up, and gate where there is one.
    private static long ProjectionsIn(TransformerConfig c) => c.IsGated ? 2 : 1;
}
