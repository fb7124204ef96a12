// The loss head in libtorch's operations: what a CUDA device, another type or a sceptic uses. Same chunks, same p − m, more passes over memory.
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>Loss head made of libtorch's operations: any device and floating type; losses are computed in float32 or better.</summary>
/// <remarks>The plain twin of <see cref="FusedLossHead"/>, and the one that runs where weights are not float32 on the CPU.</remarks>
internal sealed class TensorLossHead : LossHead
{
    // 256 MiB of float32 logits: 16,384 rows at V = 4,096, 2,048 at V = 32,768.
    private const int DeviceChunkElements = 64 << 20;
    private readonly ScalarType? _productType;

    /// <summary>Plans the chunks; their memory comes from libtorch's allocator.</summary>
    /// <param name="vocabulary">Real token ids; rows of an output head beyond them get neither probability nor gradient.</param>
    /// <param name="headRows">Rows of the student's output head, V or more.</param>
    /// <param name="productType">Type of the products with the head; null for that of the hidden states.</param>
    /// <param name="onDevice">Whether the weights are on a GPU: its chunks are larger, as each costs launches and a transfer.</param>
    public TensorLossHead(int vocabulary, int headRows, ScalarType? productType = null, bool onDevice = false)
        : base(vocabulary, headRows, onDevice ? DeviceChunkElements : null) => _productType = productType;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        // Nothing outlives a chunk.
    }

    /// <inheritdoc/>
    protected override void RunChunk(
        LossRequest request,
        PositionLosses losses,
        LossChunk chunk,
        LossGradients? gradients
    )
    {
        ScalarType products = _productType ?? request.HiddenStates.dtype;
        ScalarType type = products == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        Tensor head = request.Head.detach().to(products);
        Tensor hidden = request.HiddenStates.detach().narrow(0, chunk.First, chunk.Rows).to(products); // [M, D]
        Tensor labels = tensor(request.Labels.AsSpan(chunk.First, chunk.Rows).ToArray()).to(hidden.device); // [M]
        Tensor counted = labels.ge(0);
        Tensor targets = labels.clamp_min(0).unsqueeze(1); // [M], [M, 1]
        Tensor logits = hidden.mm(head.t()).to(type); // [M, V]
        request.Form?.ApplyTo(logits);
        logits = logits.narrow(1, 0, Vocabulary);
        Tensor logProbs = nn.functional.log_softmax(logits, 1); // [M, V]
        Tensor nll = logProbs.gather(1, targets).squeeze(1).neg();
        (Tensor highest, Tensor best) = logProbs.max(1);
        float[][] known = HostRows.Read(counted, nll, best.eq(labels), highest.exp());
        Truths(known[0]).CopyTo(losses.Counted, chunk.First);
        known[1].CopyTo(losses.StudentNll, chunk.First);
        known[1].CopyTo(losses.Loss, chunk.First);
        Truths(known[2]).CopyTo(losses.Correct, chunk.First);
        known[3].CopyTo(losses.Confidence, chunk.First);
        Array.Clear(losses.Omega, chunk.First, chunk.Rows);
        Array.Clear(losses.HasTeacher, chunk.First, chunk.Rows);
        TensorTargets? taught = null;
        if (chunk.Taught > 0 && request.Teacher is SoftLabels teacher)
        {
            // ω_t = ω_j·h_t and the mixed loss (1 − ω)·nll + ω·CE are made there.
            taught = TensorTargets.Of(
                request,
                teacher,
                chunk,
                new StudentRows(
                    logProbs.narrow(0, 0, chunk.Taught),
                    targets.narrow(0, 0, chunk.Taught),
                    best.narrow(0, 0, chunk.Taught)
                ),
                products
            );
            taught.Record(losses, chunk);
        }

        if (gradients is not LossGradients wanted)
        {
            return;
        }

        // p − m, m = (1 − ω)·onehot(y) + ω·q_τ, times 1/n; zero where a position is not counted and beyond the real vocabulary.
        Tensor omega = tensor(losses.Omega.AsSpan(chunk.First, chunk.Rows).ToArray())
            .to(type)
            .to(hidden.device)
            .unsqueeze(1); // [M, 1]
        Tensor gradient = logProbs.exp();
        gradient.scatter_add_(1, targets, omega - 1);
        if (taught is not null)
        {
            gradient.narrow(0, 0, chunk.Taught).sub_(omega.narrow(0, 0, chunk.Taught) * taught.Target);
        }

        gradient = gradient * (counted.to(type).unsqueeze(1) * wanted.Scale);
        if (request.Form?.Slopes(logits) is Tensor slopes)
        {
            gradient = gradient * slopes;
        }

        wanted.Bias?.narrow(0, 0, Vocabulary).add_(gradient.sum(0L));
        gradient = gradient.to(products);
        Tensor rows = head.narrow(0, 0, Vocabulary);
        wanted.Hidden.copy_(gradient.mm(rows)); // [M, D]
        wanted.Head?.narrow(0, 0, Vocabulary).add_(gradient.t().mm(hidden)); // [V, D]
    }

    private static bool[] Truths(float[] values) => Array.ConvertAll(values, value => value != 0);
}
