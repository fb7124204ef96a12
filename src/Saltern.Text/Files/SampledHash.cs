using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Saltern.Files;

/// <summary>A hash of a file that reads a few megabytes of it: size, and blocks spread evenly from the first byte to the last.</summary>
internal static class SampledHash
{
    private const int BlockBytes = 1 << 16;
    private const int Blocks = 64;

    /// <summary>SHA-256, lower-case hexadecimal, over the size (u64, little-endian) and 64 blocks of 64 KiB; over all of a file up to 4 MiB.</summary>
    public static string Of(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = new byte[BlockBytes];
        BinaryPrimitives.WriteInt64LittleEndian(block, file.Length);
        hash.AppendData(block, 0, sizeof(long));
        if (file.Length <= Blocks * BlockBytes)
        {
            for (int read = file.Read(block); read > 0; read = file.Read(block))
            {
                hash.AppendData(block, 0, read);
            }
        }
        else
        {
            for (int i = 0; i < Blocks; i++)
            {
                file.Position = (file.Length - BlockBytes) / (Blocks - 1) * i;
                if (i == Blocks - 1)
                {
                    file.Position = file.Length - BlockBytes; // exactly the end, whatever the division left over
                }

                file.ReadExactly(block);
                hash.AppendData(block);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
