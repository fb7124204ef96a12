namespace Saltern.Distributed;

/// <summary>What the ranks of one run say to each other. Every rank makes the same calls in the same order, from one thread.</summary>
/// <remarks>Alone (<see cref="SingleProcess"/>) every call returns at once; across processes it is MPI (<see cref="MpiCommunicator"/>), or NCCL between GPUs (<see cref="NcclCommunicator"/>).</remarks>
/// <exception cref="DistributedException">Every call but <see cref="Abort"/>: the library reports an error.</exception>
internal interface ICommunicator : IDisposable
{
    /// <summary>This process's number, from 0.</summary>
    int Rank { get; }

    /// <summary>R, the number of ranks.</summary>
    int Size { get; }

    /// <summary>What this rank is doing, for the message when it stops answering: "step 12: gradients".</summary>
    /// <remarks>Setting it says that this may take any time; steady work is told by <see cref="ReportProgress"/>.</remarks>
    string Activity { get; set; }

    /// <summary>Reports progress in steady work: the next piece begins, which takes about as long as pieces before; a watch takes a much longer one for a thread that hangs.</summary>
    /// <param name="activity">What it does now, as <see cref="Activity"/>.</param>
    void ReportProgress(string activity) => Activity = activity;

    /// <summary>Replaces each value by its sum over all ranks, float32.</summary>
    /// <param name="values">As many on every rank.</param>
    void AllReduceSum(Span<float> values);

    /// <summary>Sums over all ranks, float32, and leaves each rank its R-th part of the result.</summary>
    /// <param name="values">R times as many as <paramref name="share"/>.</param>
    /// <param name="share">Rank i gets the sums from i · length on.</param>
    void ReduceScatterSum(ReadOnlySpan<float> values, Span<float> share);

    /// <summary>Puts the values of all ranks together, in the order of the ranks.</summary>
    /// <param name="share">As many on every rank.</param>
    /// <param name="all">R times as many.</param>
    void AllGather<T>(ReadOnlySpan<T> share, Span<T> all)
        where T : unmanaged;

    /// <summary>Gives one rank's values to all.</summary>
    /// <param name="values">As many on every rank.</param>
    void Broadcast<T>(Span<T> values, int root)
        where T : unmanaged;

    /// <summary>Returns once every rank has called it. Waits without using the processor, so it is where ranks wait for another's long work.</summary>
    void Barrier();

    /// <summary>Ends every rank, this one included; does not return where there are others.</summary>
    /// <param name="exitCode">What the launcher sees.</param>
    void Abort(int exitCode);
}
