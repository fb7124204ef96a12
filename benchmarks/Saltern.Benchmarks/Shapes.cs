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
        return Of(
            name,
            options.Number("hidden", hidden),
            options.Number("layers", layers),
            options.Number("heads", heads),
            options.Number("feed-forward", feedForward),
            options.Number("vocabulary", vocabulary),
            options.Number("length", length),
            options.Number("sequences", sequences)
        );
    }

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
