using System.Buffers.Binary;

namespace Saltern.Shards;

/// <summary>A file of tokens without an index: nanoGPT's <c>train.bin</c>, or llm.c's with a header.</summary>
/// <remarks>
/// nanoGPT: uint16 from the first byte on. llm.c: 256 int32 of header (magic, version, number of tokens, zeros), then uint16 (magic 20240520, version 1)
/// or uint32 (magic 20240801, version 7). Little-endian.
/// </remarks>
/// <param name="Kind">What it is, for messages.</param>
/// <param name="Type">How ids are stored.</param>
/// <param name="FirstByte">Where the tokens begin.</param>
/// <param name="TokenCount">How many there are.</param>
internal sealed record BareTokenFile(string Path, string Kind, TokenType Type, long FirstByte, long TokenCount)
{
    private const int HeaderBytes = 256 * sizeof(int);

    private static readonly (int Magic, int Version, TokenType Type)[] Headers =
    [
        (20240520, 1, TokenType.U16),
        (20240801, 7, TokenType.I32),
    ];

    /// <summary>Looks at a file's header and size; no token is read.</summary>
    /// <exception cref="DataFormatException">The header contradicts the size, or the size is no whole number of tokens.</exception>
    public static BareTokenFile Inspect(string path)
    {
        using FileStream file = File.OpenRead(path);
        byte[] header = new byte[3 * sizeof(int)];
        int read = file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        foreach ((int magic, int version, TokenType type) in Headers)
        {
            if (read == header.Length && BinaryPrimitives.ReadInt32LittleEndian(header) == magic)
            {
                int found = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4));
                long count = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8));
                if (found != version)
                {
                    throw new DataFormatException(
                        $"'{path}' has llm.c's magic {magic} with version {found}, expected {version}."
                    );
                }

                if (file.Length != HeaderBytes + (count * type.Size()))
                {
                    throw new DataFormatException(
                        $"'{path}' has {file.Length} bytes, expected {HeaderBytes + (count * type.Size())} for "
                            + $"the {count} tokens of its llm.c header; the file is cut short or damaged."
                    );
                }

                return new BareTokenFile(path, "llm.c", type, HeaderBytes, count);
            }
        }

        if (file.Length % sizeof(ushort) == 0)
        {
            return new BareTokenFile(path, "bare uint16 (nanoGPT)", TokenType.U16, 0, file.Length / sizeof(ushort));
        }

        throw new DataFormatException(
            $"'{path}' has {file.Length} bytes, an odd number, so it is no file of uint16 tokens, "
                + "and it has neither an .idx file nor llm.c's header."
        );
    }
}
