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
        long norms = ((2L * c.NumHiddenLayers) + 1) * c.HiddenSize * (c.LayerNormEps is null ? 1 : 2);
        long attentionBiases = 0;
        if (c.AttentionBias || c.QkvBias)
        {
            attentionBiases += queries + (2 * keys);
        }

        if (c.AttentionBias)
        {
            attentionBiases += c.HiddenSize;
        }

        long mlpBiases = 0;
        if (c.MlpBias)
        {
            mlpBiases = (ProjectionsIn(c) * c.IntermediateSize) + c.HiddenSize;
        }

        long headNorms = c.QkNorm ? 2L * c.HeadDim : 0;
        long total = ProductWeights(c) + norms + (c.NumHiddenLayers * (attentionBiases + mlpBiases + headNorms));
        if (!c.IsTied)
        {
            total += (long)c.VocabSize * c.HiddenSize;
        }

        if (c.LearnedPositions)
        {
            total += (long)c.MaxPositionEmbeddings * c.HiddenSize;
        }

        return total;
    }

    /// <summary>f = 2·P + 2·L·H·A·(T + 1): forward operations per token of a sequence of T tokens. A sliding window below T leaves window·(2T + 1 − window)/T in place of T + 1.</summary>
    public static double ForwardPerToken(TransformerConfig c, int sequenceLength)
    {
        double window = sequenceLength;
        if (c.SlidingWindow > 0 && c.SlidingWindow < sequenceLength)
        {
            window = c.SlidingWindow;
        }

        double twicePairs = window * ((2.0 * sequenceLength) + 1 - window) / sequenceLength; // twice the mean number of keys a query sees
        return (2.0 * ProductWeights(c)) + (2.0 * c.NumHiddenLayers * c.NumAttentionHeads * c.HeadDim * twicePairs);
    }

    /// <summary>3f: forward and backward operations per token; recomputation is not counted.</summary>
    public static double TrainingPerToken(TransformerConfig c, int sequenceLength) =>
        3.0 * ForwardPerToken(c, sequenceLength);

    // From the hidden size to the feed-forward size: up, and gate where there is one.
    private static long ProjectionsIn(TransformerConfig c) => c.IsGated ? 2 : 1;
}
