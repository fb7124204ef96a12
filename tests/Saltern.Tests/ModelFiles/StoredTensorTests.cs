using Saltern.ModelFiles;
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.ModelFiles;

public class StoredTensorTests
{
    [Fact]
    public void HeadByHead_HandWorked()
    {
        // Two heads of one row: the file has q0 k0 v0 q1 k1 v1, the decoder q0 q1 k0 k1 v0 v1.
        using Tensor flat = zeros(12);
        using Tensor piece = tensor(new float[] { 10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61 });
        var stored = new StoredTensor("qkv", [6, 2], 0, StoredForm.HeadByHead, HeadRows: 1);
        stored.Fill(flat, 0, piece);
        Assert.Equal([10, 11, 40, 41, 20, 21, 50, 51, 30, 31, 60, 61], flat.data<float>().ToArray());
    }

    [Fact]
    public void Transposed_HandWorked()
    {
        // The file has two inputs by three outputs, the decoder three outputs by two inputs; one element before it belongs to another weight.
        using Tensor flat = zeros(7);
        using Tensor piece = tensor(new float[] { 1, 2, 3, 4, 5, 6 });
        new StoredTensor("conv", [2, 3], 1, StoredForm.Transposed, HeadRows: 1).Fill(flat, 0, piece);
        Assert.Equal([0, 1, 4, 2, 5, 3, 6], flat.data<float>().ToArray());
    }

    [Theory]
    [InlineData(StoredForm.AsIs, 24, 5)]
    [InlineData(StoredForm.HeadByHead, 24, 5)] // 2 heads of 4 rows: pieces of 1, 3 and 7 rows end inside heads
    [InlineData(StoredForm.HeadByHead, 24, 1)]
    [InlineData(StoredForm.Transposed, 24, 5)]
    public void PiecesOfAnyLength_ComeBackInFileOrder(Enum kept, int rows, int columns)
    {
        var form = (StoredForm)kept;
        foreach (int rowsAtOnce in new[] { 1, 3, 7, rows })
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor flat = zeros((rows * columns) + 3);
            Tensor file = randperm(rows * columns).to(ScalarType.Float32);
            var stored = new StoredTensor("x", columns == 1 ? [rows] : [rows, columns], 3, form, HeadRows: 4);
            for (int row = 0; row < rows; row += rowsAtOnce)
            {
                stored.Fill(
                    flat,
                    row * columns,
                    file.narrow(0, row * columns, Math.Min(rowsAtOnce, rows - row) * columns)
                );
            }

            Assert.Equal(file.data<float>().ToArray(), stored.InFileOrder(flat).reshape(-1).data<float>().ToArray());
            Assert.Equal(0f, flat.narrow(0, 0, 3).abs().sum().item<float>());
        }
    }

    [Fact]
    public void Names_AreThoseOfTheFamilies()
    {
        var shape = new TransformerConfig
        {
            HiddenSize = 8,
            NumHiddenLayers = 1,
            NumAttentionHeads = 2,
            IntermediateSize = 16,
            LayerNormEps = 1e-5,
            HiddenAct = Activation.Gelu,
            AttentionBias = true,
            MlpBias = true,
            TieWordEmbeddings = false,
        };
        string[] neox = Describe(shape);
        Assert.Equal(
            [
                "gpt_neox.embed_in.weight AsIs",
                "gpt_neox.layers.0.input_layernorm.weight AsIs",
                "gpt_neox.layers.0.input_layernorm.bias AsIs",
                "gpt_neox.layers.0.attention.query_key_value.weight HeadByHead",
                "gpt_neox.layers.0.attention.query_key_value.bias HeadByHead",
                "gpt_neox.layers.0.attention.dense.weight AsIs",
                "gpt_neox.layers.0.attention.dense.bias AsIs",
                "gpt_neox.layers.0.post_attention_layernorm.weight AsIs",
                "gpt_neox.layers.0.post_attention_layernorm.bias AsIs",
                "gpt_neox.layers.0.mlp.dense_h_to_4h.weight AsIs",
                "gpt_neox.layers.0.mlp.dense_h_to_4h.bias AsIs",
                "gpt_neox.layers.0.mlp.dense_4h_to_h.weight AsIs",
                "gpt_neox.layers.0.mlp.dense_4h_to_h.bias AsIs",
                "gpt_neox.final_layer_norm.weight AsIs",
                "gpt_neox.final_layer_norm.bias AsIs",
                "embed_out.weight AsIs",
            ],
            neox
        );
        string[] gpt2 = Describe(shape with { LearnedPositions = true, TieWordEmbeddings = true });
        Assert.Equal(
            [
                "transformer.wte.weight AsIs",
                "transformer.wpe.weight AsIs",
                "transformer.h.0.ln_1.weight AsIs",
                "transformer.h.0.ln_1.bias AsIs",
                "transformer.h.0.attn.c_attn.weight Transposed",
            ],
            gpt2[..5]
        );
        Assert.Equal(["transformer.ln_f.weight AsIs", "transformer.ln_f.bias AsIs"], gpt2[^2..]);
    }

    private static string[] Describe(TransformerConfig shape) =>
        [.. StoredWeights.Of(shape.Resolve(11, 16)).Select(tensor => $"{tensor.Name} {tensor.Form}")];
}
