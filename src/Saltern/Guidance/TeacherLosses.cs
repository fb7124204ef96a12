using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Files;
using Saltern.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>The teacher's losses at every position of a validation set, nats: for the gap on validation text, and for difficulty.</summary>
/// <param name="Nll">−ln q(y) at τ = 1; 0 where a position does not count.</param>
internal sealed record TeacherLosses(float[] Nll, float[] NllTempered)
{
    private const int HashBytes = 32;

    private static ReadOnlySpan<byte> Magic => "SALTVAL1"u8;

    /// <summary>Runs the teacher over the set.</summary>
    /// <param name="head">Loss head made for the teacher's vocabulary.</param>
    /// <param name="ranks">Ranks with the same teacher, which share the batches out; null for one process. All get all losses.</param>
    public static TeacherLosses Run(LiveTeacher teacher, LossHead head, ValidationSet set, ICommunicator? ranks = null)
    {
        ranks ??= new SingleProcess();
        int length = set.SequenceLength;
        int windows = set.WindowDomains.Count;
        int perBatch = Math.Max(1, 4_096 / length);
        float[] nll = new float[set.Labels.Length];
        float[] tempered = new float[set.Labels.Length];
        var losses = new PositionLosses(perBatch * length);
        for (int first = perBatch * ranks.Rank; first < windows; first += perBatch * ranks.Size)
        {
            using DisposeScope scope = NewDisposeScope();
            int count = Math.Min(perBatch, windows - first) * length;
            int at = first * length;
            LiveSoftLabels labels = teacher.Run(
                tensor(set.Inputs.AsSpan(at, count).ToArray(), count / length, length).to(teacher.Device)
            );

            // The teacher in both roles: as a student it gives the plain loss, as a teacher the tempered one.
            head.Evaluate(
                new LossRequest
                {
                    HiddenStates = labels.HiddenStates,
                    Head = labels.Head,
                    Form = labels.Form,
                    Labels = set.Labels[at..(at + count)],
                    Teacher = labels,
                    Omega = new float[count],
                },
                losses
            );
            for (int i = 0; i < count; i++)
            {
                (nll[at + i], tempered[at + i]) = losses.Counted[i]
                    ? (losses.TeacherNll[i], losses.TeacherNllTempered[i])
                    : (0, 0);
            }
        }

        int[] owners = [.. Enumerable.Range(0, windows).Select(window => window / perBatch % ranks.Size)];
        ranks.Exchange<float>(nll, owners, length);
        ranks.Exchange<float>(tempered, owners, length);

        return new TeacherLosses(nll, tempered);
    }

    /// <summary>Keeps the losses in a teacher pass's folder: magic, SHA-256 of the set, SHA-256 of the values, then both arrays as f32, little-endian.</summary>
    public void Save(string folder, ValidationSet set)
    {
        byte[] values = [.. MemoryMarshal.AsBytes(Nll.AsSpan()), .. MemoryMarshal.AsBytes(NllTempered.AsSpan())];
        WholeFile.Write(
            PathIn(folder, set),
            file => file.Write([.. Magic, .. Hash(set), .. SHA256.HashData(values), .. values])
        );
    }

    /// <summary>Reads them back; null where there are none of this validation text.</summary>
    /// <exception cref="DataFormatException">The file is damaged: its name has the text's hash, so it is no other text's.</exception>
    public static TeacherLosses? Load(string folder, ValidationSet set)
    {
        string path = PathIn(folder, set);
        int count = set.Labels.Length;
        int values = Magic.Length + (2 * HashBytes);
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] bytes = Disk.Current.ReadAllBytes(path);
        if (
            bytes.Length != values + (8L * count)
            || !bytes.AsSpan().StartsWith(Magic)
            || !bytes.AsSpan(Magic.Length, HashBytes).SequenceEqual(Hash(set))
        )
        {
            throw new DataFormatException(
                $"'{path}' is damaged: it has {bytes.Length} bytes, "
                    + $"expected {values + (8L * count)} that begin with {Encoding.ASCII.GetString(Magic)} and "
                    + "the hash of its validation text. "
                    + "Remove it and run the same 'saltern teach' again, which makes it anew."
            );
        }

        if (!bytes.AsSpan(Magic.Length + HashBytes, HashBytes).SequenceEqual(SHA256.HashData(bytes.AsSpan(values))))
        {
            throw new DataFormatException(
                $"'{path}' is damaged: its values do not have their checksum. "
                    + "Remove it and run the same 'saltern teach' again, which makes it anew."
            );
        }

        float[] read = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(values)).ToArray();
        return new TeacherLosses(read[..count], read[count..]);
    }

    /// <summary>Where a teacher pass's folder holds them: a file for each set, named by the set's hash.</summary>
    public static string PathIn(string folder, ValidationSet set) =>
        Path.Combine(folder, $"validation-{Convert.ToHexStringLower(Hash(set).AsSpan(0, 4))}.bin");

    private static byte[] Hash(ValidationSet set)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, set.SequenceLength);
        hash.AppendData(length);
        hash.AppendData(MemoryMarshal.AsBytes(set.Inputs.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(set.Labels.AsSpan()));
        return hash.GetHashAndReset();
    }
}
