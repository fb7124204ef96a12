using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Models;

public class AttentionRangesTests
{
    private static readonly TransformerConfig Config = new TransformerConfig
    {
        HiddenSize = 16,
        NumHiddenLayers = 2,
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        IntermediateSize = 24,
        TieWordEmbeddings = true,
    }.Resolve(tokenizerVocabulary: 37, sequenceLength: 12);

    [Fact]
    public void MaskedDocuments_AreThoseOfTheirOwnForwardPasses()
    {
        // Documents of 5, 3 and 4 tokens in one sequence; rotary positions are relative, so a document does not know where it stands.
        using DisposeScope scope = NewDisposeScope();
        using var model = new Transformer(Config, trainable: false);
        model.Initialize(3);
        Tensor tokens = Tokens();
        int[] starts = [0, 0, 0, 0, 0, 5, 5, 5, 8, 8, 8, 8];
        Tensor packed = model
            .HiddenStates(tokens, new AttentionRanges([.. starts, .. starts], [.. Ends(), .. Ends()], 12))
            .view(2, 12, 16);
        foreach ((int start, int length) in new[] { (0, 5), (5, 3), (8, 4) })
        {
            Tensor alone = model.HiddenStates(tokens.narrow(1, start, length).contiguous()).view(2, length, 16);
            double difference = (packed.narrow(1, start, length) - alone).abs().max().item<float>();
            Assert.True(difference < 1e-5, $"{difference}"); // float32 of size 1, angles computed at other positions
        }
    }

    [Fact]
    public void CausalRanges_AreCausalAttention()
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new Transformer(Config, trainable: false);
        model.Initialize(4);
        Tensor tokens = Tokens();
        Tensor plain = model.HiddenStates(tokens);
        Tensor ranged = model.HiddenStates(tokens, new AttentionRanges(new int[24], [.. Ends(), .. Ends()], 12));
        Assert.True((plain - ranged).abs().max().item<float>() < 1e-5);
    }

    [Fact]
    public void AFreePrefix_SeesItselfWhole_AndNothingAfterIt()
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new Transformer(Config, trainable: false);
        model.Initialize(5);
        var ranges = new AttentionRanges(new int[12], [.. Ends().Select(end => Math.Max(end, 6))], 12);
        long[] ids = [.. Enumerable.Range(0, 12).Select(i => (long)(i * 5 % 37))];
        Tensor before = model.HiddenStates(tensor(ids, 1, 12), ranges);
        ids[5] = 30;
        Tensor inside = (model.HiddenStates(tensor(ids, 1, 12), ranges) - before).abs().amax(1);
        Assert.True(inside.min().item<float>() > 1e-6); // the last token of the prefix reaches all
        ids[5] = 25;
        ids[8] = 31;
        Tensor after = (model.HiddenStates(tensor(ids, 1, 12), ranges) - before).abs().amax(1);
        Assert.Equal(0f, after.narrow(0, 0, 8).max().item<float>());
        Assert.True(after.narrow(0, 8, 4).min().item<float>() > 1e-6);
    }

    [Fact]
    public void Gradients_FlowThroughMasks()
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new Transformer(Config, trainable: true);
        model.Initialize(6);
        model.HiddenStates(Tokens(), new AttentionRanges(new int[24], [.. Ends(), .. Ends()], 12)).sum().backward();
        Assert.True(model.HeadGradient().abs().max().item<float>() > 0);
        Assert.Throws<ArgumentException>(() =>
            model.HiddenStates(Tokens(), new AttentionRanges(new int[12], Ends(), 12))
        );
    }

    private static int[] Ends() => [.. Enumerable.Range(1, 12)];

    private static Tensor Tokens() => tensor([.. Enumerable.Range(0, 24).Select(i => (long)(i * 7 % 37))], 2, 12);
}
