namespace Saltern.Optimization;

/// <summary>Where one tensor of a checkpoint's optimizer file goes.</summary>
/// <param name="Name">Its key in the file.</param>
/// <param name="Shape">Its whole shape, whatever part of it this process keeps.</param>
/// <param name="Fill">Takes what fills memory with the whole tensor's values, little-endian float32.</param>
internal sealed record StateSlot(string Name, long[] Shape, Action<Action<Span<byte>>> Fill);
