namespace Saltern.Distributed;

/// <summary>A run of one process: needs no library, and every sum is what it was.</summary>
internal sealed class SingleProcess : ICommunicator
{
    /// <inheritdoc/>
    public int Rank => 0;

    /// <inheritdoc/>
    public int Size => 1;

    /// <inheritdoc/>
    public string Activity { get; set; } = "";

    /// <inheritdoc/>
    public void AllReduceSum(Span<float> values) { }

    /// <inheritdoc/>
    public void ReduceScatterSum(ReadOnlySpan<float> values, Span<float> share) => values.CopyTo(share);

    /// <inheritdoc/>
    public void AllGather<T>(ReadOnlySpan<T> share, Span<T> all)
        where T : unmanaged => share.CopyTo(all);

    /// <inheritdoc/>
    public void Broadcast<T>(Span<T> values, int root)
        where T : unmanaged => ArgumentOutOfRangeException.ThrowIfNotEqual(root, 0);

    /// <inheritdoc/>
    public void Barrier() { }

    /// <summary>There are no others to end; the caller ends by itself.</summary>
    public void Abort(int exitCode) { }

    /// <inheritdoc/>
    public void Dispose() { }
}
