using Saltern.Models;

namespace Saltern.Benchmarks;

/// <summary>A student, its teacher and the batch they are timed on.</summary>
/// <param name="Name">What tables call it.</param>
/// <param name="Student">The student's shape.</param>
/// <param name="Teacher">The teacher's; same vocabulary.</param>
/// <param name="Sequences">B.</param>
/// <param name="Length">T.</param>
internal sealed record Shape(
    string Name,
    TransformerConfig Student,
    TransformerConfig Teacher,
    int Sequences,
    int Length
)
{
    /// <summary>The shape that options ask for: a name, and single sizes that differ from it.</summary>
    public static Shape Get(Options options)
    {
        string name = options.Text("shape", "reference");
        (int hidden, int layers, int heads, int feedForward, int vocabulary, int length, int sequences) = name switch
        {
            "reference" => (256, 6, 4, 704, 8_192, 256, 16),
            "v32k" => (256, 6, 4, 704, 32_768, 256, 16),
            "d512" => (512, 8, 8, 1_408, 8_192, 256, 8),
            "core" => (128, 4, 4, 352, 4_096, 256, 16),
            _ => throw new ArgumentException($"'{name}' is not a shape: reference, v32k, d512, core."),
        };
        Shape shape = Of(
            name,
            options.Number("hidden", hidden),
            options.Number("layers", layers),
            options.Number("heads", heads),
            options.Number("feed-forward", feedForward),
            options.Number("vocabulary", vocabulary),
            options.Number("length", length),
            options.Number("sequences", sequences)
        );
        string family = options.Text("family", "llama");
        return shape with
        {
            Student = OfFamily(shape.Student, family).Resolve(shape.Student.VocabSize, shape.Length),
            Teacher = OfFamily(shape.Teacher, family).Resolve(shape.Teacher.VocabSize, shape.Length),
        };
    }

    // The same operations in products: two projections of 3F/2 do as many as the three of F with a gate.
    private static TransformerConfig OfFamily(TransformerConfig llama, string family)
    {
        TransformerConfig ungated = llama with
        {
            LayerNormEps = 1e-5,
            AttentionBias = true,
            MlpBias = true,
            IntermediateSize = llama.IntermediateSize * 3 / 2,
        };
        return family switch
        {
            "llama" => llama,
            "qwen3" => llama with { QkNorm = true },
            "neox" => ungated with
            {
                UseParallelResidual = true,
                PartialRotaryFactor = 0.25,
                HiddenAct = Activation.Gelu,
            },
            "gpt2" => ungated with { LearnedPositions = true, HiddenAct = Activation.GeluNew },
            "opt" => ungated with { LearnedPositions = true, PositionOffset = 2, HiddenAct = Activation.Relu },
            "phi" => ungated with
            {
                UseParallelResidual = true,
                SharedAttentionNorm = true,
                PartialRotaryFactor = 0.5,
                HiddenAct = Activation.GeluNew,
                LmHeadBias = true,
                TieWordEmbeddings = false,
            },
            "granite" => llama with
            {
                AttentionMultiplier = 1.0 / llama.HeadDim,
                EmbeddingMultiplier = 12,
                ResidualMultiplier = 0.22,
                LogitsScaling = 8,
            },
            "olmo2" => llama with { NormPlacement = NormPlacement.After, QkNorm = true, QkNormWhole = true },
            "gemma" => Gemma(llama),
            "gemma2" => Gemma(llama) with
            {
                NormPlacement = NormPlacement.Around,
                AttentionMultiplier = llama.ScoreScale,
                AttnLogitSoftcapping = 50,
                FinalLogitSoftcapping = 30,
            },
            "gemma3" => Gemma(llama) with
            {
                NormPlacement = NormPlacement.Around,
                AttentionMultiplier = llama.ScoreScale,
                QkNorm = true,
            },
            _ => throw new ArgumentException(
                $"'{family}' is not a family: llama, qwen3, neox, gpt2, opt, phi, granite, olmo2, gemma, gemma2, gemma3."
            ),
        };
    }

    // Without windows, which would leave out operations.
    private static TransformerConfig Gemma(TransformerConfig llama) =>
        llama with
        {
            HiddenAct = Activation.GeluPytorchTanh,
            GatedMlp = true,
            NormUnitOffset = true,
            ScaleEmbeddings = true,
        };

    /// <summary>A tied decoder with the reference teacher of the same vocabulary.</summary>
    public static Shape Of(
        string name,
        int hidden,
        int layers,
        int heads,
        int feedForward,
        int vocabulary,
        int length,
        int sequences
    ) =>
        new(
            name,
            Decoder(hidden, layers, heads, feedForward, vocabulary, length),
            Decoder(
                hidden / 2,
                Math.Max(1, layers * 2 / 3),
                Math.Max(1, heads / 2),
                feedForward / 2,
                vocabulary,
                length
            ),
            sequences,
            length
        );

    private static TransformerConfig Decoder(
        int hidden,
        int layers,
        int heads,
        int feedForward,
        int vocabulary,
        int length
    ) =>
        new TransformerConfig
        {
            HiddenSize = hidden,
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            IntermediateSize = feedForward,
            TieWordEmbeddings = true,
        }.Resolve(vocabulary, length);
}
