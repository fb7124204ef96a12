using Saltern.Models;

namespace Saltern.Optimization;

/// <summary>Where Muon's kernel finds what is remembered of a matrix, whatever form that is kept in.</summary>
internal unsafe interface IMatrixState
{
    /// <summary>The run's seed, for what is rounded.</summary>
    long Seed { get; }

    /// <summary>Momentum of some elements of a matrix, to be read and overwritten.</summary>
    /// <param name="first">First element in the matrix.</param>
    /// <param name="room">Room for as many, which is used where the momentum is not kept as float32.</param>
    float* Momentum(ParameterSlice matrix, long first, long count, float* room);

    /// <summary>Takes back what <see cref="Momentum"/> gave, overwritten.</summary>
    /// <param name="update">u ≥ 1.</param>
    void Keep(ParameterSlice matrix, long first, long count, float* momentum, long update);

    /// <summary>First element of a float32 tensor of the state.</summary>
    float* AddressOf(string name);
}
