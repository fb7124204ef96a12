// From hidden states to loss and gradients without ever holding [N, V]: logits are made, used and overwritten chunk by chunk.
// N = positions, D = hidden size, V = vocabulary, M = rows of a chunk; p − m is the gradient at the logits (docs/method.md).
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>Output head and soft-label cross-entropy in one: ℒ = (1/n) Σ CE(m, p), m = (1 − ω)·onehot(y) + ω·q_τ.</summary>
/// <remarks>
/// One path serves plain training (ω = 0), SALT and RKD (arXiv:2410.18779); the gradient p − m is made in the forward pass and turned into
/// ∂hidden and ∂head with libtorch's products. Memory is one chunk of [M, V] for the student and one for a teacher, whatever N.
/// This class makes the chunks; what happens to their rows is <see cref="FusedLossHead"/>'s (CPU, float32) or <see cref="TensorLossHead"/>'s (any device and type).
/// </remarks>
internal abstract class LossHead : IDisposable
{
    // About 16 MiB of logits for small vocabularies, 32 for large ones: near the cache, yet with enough rows for fast products. Measured at V = 32,768, distilling, with
    // 64, 128, 256 and 512 rows: 1,933, 1,637, 1,501 and 1,417 ms; at V = 8,192 with 128 to 1,024 rows: 409, 375, 350, 384 ms (docs/speed.md).
    private const int ChunkElements = 4 << 20;
    private const int LargestChunkElements = 8 << 20;
    private const int FewestRows = 64;
    private const int FastRows = 256;
    private const int MostRows = 512;

    /// <summary>Plans the chunks.</summary>
    /// <param name="vocabulary">Real token ids; rows of an output head beyond them get neither probability nor gradient.</param>
    /// <param name="headRows">Rows of the student's output head, V or more.</param>
    /// <param name="chunkElements">Logits held at once; null for what suits a processor's cache.</param>
    protected LossHead(int vocabulary, int headRows, int? chunkElements = null)
    {
        if (vocabulary > headRows)
        {
            throw new ArgumentOutOfRangeException(
                nameof(vocabulary),
                vocabulary,
                $"The head has {headRows} rows only."
            );
        }

        (Vocabulary, Columns) = (vocabulary, headRows);
        ChunkRows = RowsOfChunk(headRows);
        if (chunkElements is int elements)
        {
            ChunkRows = Math.Max(FewestRows, elements / headRows);
        }
    }

    /// <summary>M, rows whose logits are held at once.</summary>
    /// <param name="headRows">Rows of the student's output head.</param>
    public static int RowsOfChunk(int headRows) =>
        Math.Clamp(
            ChunkElements / headRows,
            Math.Clamp(LargestChunkElements / headRows, FewestRows, FastRows),
            MostRows
        );

    /// <summary>V: real token ids.</summary>
    protected int Vocabulary { get; }

    /// <summary>Rows of the student's output head.</summary>
    protected int Columns { get; }

    /// <summary>M.</summary>
    protected int ChunkRows { get; }

    /// <summary>Losses at every position, without gradients.</summary>
    public void Evaluate(LossRequest request, PositionLosses losses) => Run(request, losses, null);

    /// <summary>Losses at every position, ∂ℒ/∂hidden and, added to what is there, ∂ℒ/∂head.</summary>
    /// <param name="divisor">n, counted positions of the global batch.</param>
    /// <param name="losses">Receives the losses, before any division.</param>
    /// <param name="hiddenGradient">[N, D], of the hidden states' type, overwritten.</param>
    /// <param name="headGradient">[V or more, D], added to; null where the head is not trained.</param>
    /// <param name="biasGradient">Of the head's biases, [V or more], added to; null where it has none, or the head is not trained.</param>
    public void Train(
        LossRequest request,
        long divisor,
        PositionLosses losses,
        Tensor hiddenGradient,
        Tensor? headGradient,
        Tensor? biasGradient = null
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(divisor);
        bool needsBias = headGradient is not null && request.Form?.Bias is not null;
        if (biasGradient is not null != needsBias)
        {
            throw new ArgumentException("A head with biases needs a place for their gradient.", nameof(biasGradient));
        }

        Run(request, losses, new LossGradients((float)(1.0 / divisor), hiddenGradient, headGradient, biasGradient));
    }

    /// <summary>Frees the chunk buffers.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the chunk buffers.</summary>
    protected abstract void Dispose(bool disposing);

    /// <summary>Told what the chunks that follow belong to.</summary>
    protected virtual void Begin(LossRequest request, bool backward) { }

    /// <summary>Everything of one chunk: logits, losses and, where asked for, both gradients.</summary>
    /// <param name="chunk">Which rows, and how many of them have soft labels.</param>
    /// <param name="gradients">Takes the chunk's rows of ∂hidden, [M, D], and ∂head; null for evaluation, which asks for the losses alone.</param>
    protected abstract void RunChunk(
        LossRequest request,
        PositionLosses losses,
        LossChunk chunk,
        LossGradients? gradients
    );

    private void Run(LossRequest request, PositionLosses losses, LossGradients? gradients)
    {
        LossShapes.Check(request, Vocabulary, Columns);
        using IDisposable _ = no_grad();
        int count = request.Labels.Length;
        int taught = request.Teacher?.Rows ?? 0;
        Begin(request, gradients is not null);
        for (int first = 0; first < count; first += ChunkRows)
        {
            using DisposeScope scope = NewDisposeScope();
            int rows = Math.Min(ChunkRows, count - first);
            var chunk = new LossChunk(first, rows, Math.Clamp(taught - first, 0, rows));
            RunChunk(request, losses, chunk, gradients?.OfRows(chunk));
        }
    }
}

/// <summary>Some rows of a micro-batch.</summary>
/// <param name="Taught">How many of them, from the first on, have soft labels.</param>
internal readonly record struct LossChunk(int First, int Rows, int Taught);

/// <summary>Where the gradients of a micro-batch, or of some of its rows, go.</summary>
/// <param name="Scale">1/n, factor of every gradient; n = counted positions of the global batch.</param>
/// <param name="Hidden">∂ℒ/∂hidden, [rows, D], overwritten.</param>
/// <param name="Head">∂ℒ/∂head, [V or more, D], added to; null where the head is not trained.</param>
/// <param name="Bias">∂ℒ/∂(the head's biases), [V or more], added to; null where it has none, or the head is not trained.</param>
internal readonly record struct LossGradients(float Scale, Tensor Hidden, Tensor? Head, Tensor? Bias = null)
{
    /// <summary>The same for a chunk's rows; the caller's scope owns the view.</summary>
    internal LossGradients OfRows(LossChunk chunk) => this with { Hidden = Hidden.narrow(0, chunk.First, chunk.Rows) };
}
