namespace Saltern.Models;

/// <summary>Floating-point operations of a model by the rule of docs/method.md: products only, causal pairs only.</summary>
public static class ModelFlops
{
    /// <summary>N: weights that take part in matrix products, the output head included whether tied or not; embedding look-ups, norms and biases excluded.</summary>
    public static long ProductWeights(TransformerConfig c)
    {
        long queries = (long)c.NumAttentionHeads * c.HeadDim;
        long keys = (long)c.NumKeyValueHeads * c.HeadDim;
        long attention = (c.HiddenSize * (queries + (2 * keys))) + (queries * c.HiddenSize);
        long feedForward = (c.IsGated ? 3L : 2L) * c.HiddenSize * c.IntermediateSize;
        return (c.NumHiddenLayers * (attention + feedForward)) + ((long)c.HiddenSize * c.VocabSize);
    }

    /// <summary>All weights, biases and norms, each once.</summary>
    public static long Parameters(TransformerConfig c)
    {
        long queries = (long)c.NumAttentionHeads * c.HeadDim;
        long keys = (long)c.NumKeyValueHeads * c.HeadDim;
        long norms = ((2L * c.NumHiddenLayers) + 1) * c.HiddenSize * (c.LayerNormEps is null ? 1 : 2);
        long attentionBiases =
            c.AttentionBias ? queries + (2 * keys) + c.HiddenSize
            : c.QkvBias ? queries + (2 * keys)
            : 0;
        long mlpBiases = c.MlpBias ? ((c.IsGated ? 2L : 1L) * c.IntermediateSize) + c.HiddenSize : 0;
        long headNorms = c.QkNorm ? 2L * c.HeadDim : 0;
        long secondEmbedding = c.IsTied ? 0 : (long)c.VocabSize * c.HiddenSize;
        long positions = c.LearnedPositions ? (long)c.MaxPositionEmbeddings * c.HiddenSize : 0;
        return ProductWeights(c)
            + secondEmbedding
            + positions
            + norms
            + (c.NumHiddenLayers * (attentionBiases + mlpBiases + headNorms));
    }

    /// <summary>f = 2·N + 2·L·A·(T + 1): forward operations per token of a sequence of T tokens, A = heads × head size. A sliding window W below T leaves W·(2T + 1 − W)/T in place of T + 1.</summary>
    public static double ForwardPerToken(TransformerConfig c, int sequenceLength)
    {
        double window = c.SlidingWindow > 0 && c.SlidingWindow < sequenceLength ? c.SlidingWindow : sequenceLength;
        double twicePairs = window * ((2.0 * sequenceLength) + 1 - window) / sequenceLength; // twice the mean number of keys a query sees
        return (2.0 * ProductWeights(c)) + (2.0 * c.NumHiddenLayers * c.NumAttentionHeads * c.HeadDim * twicePairs);
    }

    /// <summary>3f: forward and backward operations per token; recomputation is not counted.</summary>
    public static double TrainingPerToken(TransformerConfig c, int sequenceLength) =>
        3.0 * ForwardPerToken(c, sequenceLength);
}
