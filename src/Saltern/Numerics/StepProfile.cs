using System.Diagnostics;

namespace Saltern.Numerics;

/// <summary>What a training step spends its time on.</summary>
internal enum StepPart
{
    /// <summary>Asking for the batch.</summary>
    Batch,

    /// <summary>Products with the weights of the layers, forward and backward.</summary>
    LayerProducts,

    /// <summary>Rotary positions, attention and their gradients.</summary>
    Attention,

    /// <summary>RMS norms with the residual sums, SwiGLU, embedding, biases.</summary>
    ElementWise,

    /// <summary>Products with the output head, of a live teacher too.</summary>
    HeadProducts,

    /// <summary>Softmax, losses and the gradient at the logits.</summary>
    Loss,

    /// <summary>A live teacher's forward pass up to its hidden states.</summary>
    Teacher,

    /// <summary>Gradient norm and update.</summary>
    Optimizer,
}

/// <summary>Adds up the time of the parts of a step on the thread that makes it, while somebody asks for it; otherwise costs a comparison.</summary>
internal static class StepProfile
{
    [ThreadStatic]
    private static long[]? Ticks;

    [ThreadStatic]
    private static bool Inside;

    /// <summary>Starts adding up on this thread, from zero.</summary>
    public static void Start() => Ticks = new long[Enum.GetValues<StepPart>().Length];

    /// <summary>Stops and returns the seconds of each part.</summary>
    public static IReadOnlyDictionary<StepPart, double> Stop()
    {
        long[] ticks = Ticks ?? throw new InvalidOperationException("Nobody started the profile on this thread.");
        Ticks = null;
        return Enum.GetValues<StepPart>()
            .ToDictionary(part => part, part => ticks[(int)part] / (double)Stopwatch.Frequency);
    }

    /// <summary>Marks a part until disposed; what is marked inside another mark counts for the outer one.</summary>
    internal static Mark Of(StepPart part)
    {
        if (Ticks is not long[] ticks || Inside)
        {
            return default;
        }

        Inside = true;
        return new Mark(ticks, part, Stopwatch.GetTimestamp());
    }

    /// <summary>One stretch of time.</summary>
    internal readonly ref struct Mark(long[]? ticks, StepPart part, long start)
    {
        /// <summary>Ends it.</summary>
        public void Dispose()
        {
            if (ticks is not null)
            {
                ticks[(int)part] += Stopwatch.GetTimestamp() - start;
                Inside = false;
            }
        }
    }
}
