namespace Saltern.Tests.Simulation;

/// <summary><c>tokenizer train</c> over a tokenizer that is there: the old one or the new one, never none.</summary>
internal sealed class SimulatedTokenizerTraining : SimulatedWork
{
    private const string File = "tokenizer.json";
    private static readonly byte[] Before = [.. Enumerable.Repeat((byte)'o', 900)];

    public override string Name => "tokenizer train";

    public override void Prepare(SimulatedDisk disk, string root) => disk.Place(Path.Combine(root, File), Before);

    public override void Run(string root, Action<string> done)
    {
        SimulationAssets.Shared.Tokenizer.Save(Path.Combine(root, File));
        done(File);
    }

    public override void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    )
    {
        byte[][] allowed = done.Count > 0 ? [whole[File]] : [Before, whole[File]];
        Require(root, File, allowed);
    }
}
