namespace Saltern.Fuzz;

/// <summary>A reader of files from outside, and what to begin with.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Samples">Good inputs.</param>
/// <param name="Read">Reads one; throws a <see cref="SalternException"/> where it is refused.</param>
/// <param name="MostBytes">Memory that an input may ask for besides 256 times its size.</param>
/// <param name="Mend">Makes a changed input whole again on its surface (a length, a checksum), so that it gets further in; null for nothing.</param>
internal sealed record Reader(
    string Name,
    IReadOnlyList<byte[]> Samples,
    Action<byte[]> Read,
    long MostBytes = 4 << 20,
    Action<byte[]>? Mend = null
);
