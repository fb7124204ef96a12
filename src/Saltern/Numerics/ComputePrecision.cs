namespace Saltern.Numerics;

/// <summary>Type of matrix products and attention.</summary>
public enum ComputePrecision
{
    /// <summary>float32 throughout.</summary>
    Fp32,

    /// <summary>bfloat16 products over float32 weights, gradients of weights, norms, residual stream and losses. Meant for GPUs and processors with bfloat16 instructions.</summary>
    Bf16,

    /// <summary>bf16 where its products are at least 1.4 times as fast as float32's, measured at the start and kept for the run's life; else fp32.</summary>
    Auto,
}
