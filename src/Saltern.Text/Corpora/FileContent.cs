namespace Saltern.Corpora;

/// <summary>How a stored file is compressed.</summary>
internal enum FileCompression
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>gzip, in one member or several.</summary>
    Gzip,

    /// <summary>Zstandard, in one frame or several.</summary>
    Zstandard,

    /// <summary>bzip2, in one stream or several.</summary>
    Bzip2,

    /// <summary>xz, in one stream or several.</summary>
    Xz,
}

/// <summary>Tells what a file is by its first bytes.</summary>
internal static class FileContent
{
    /// <summary>Bytes that are looked at.</summary>
    public const int HeadBytes = 256;

    private static readonly (byte[] Magic, FileCompression Compression)[] Magics =
    [
        ([0x1F, 0x8B], FileCompression.Gzip),
        ([0x28, 0xB5, 0x2F, 0xFD], FileCompression.Zstandard),
        ([.. "BZh"u8], FileCompression.Bzip2),
        ([0xFD, .. "7zXZ"u8, 0], FileCompression.Xz),
    ];

    /// <summary>How a file is compressed, by its first bytes and, where they say nothing, by its name.</summary>
    public static FileCompression CompressionOf(string path, ReadOnlySpan<byte> head)
    {
        foreach ((byte[] magic, FileCompression compression) in Magics)
        {
            if (head.StartsWith(magic))
            {
                return compression;
            }
        }

        // A skippable frame may stand before the first one.
        if (head.Length >= 4 && (head[0] & 0xF0) == 0x50 && head[1..4].SequenceEqual<byte>([0x2A, 0x4D, 0x18]))
        {
            return FileCompression.Zstandard;
        }

        // Downloads are sometimes unpacked on the way and keep their names; anything but JSON is left to the decompressor to refuse.
        if (IsJson(head))
        {
            return FileCompression.None;
        }

        return Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".GZ" => FileCompression.Gzip,
            ".ZST" => FileCompression.Zstandard,
            ".BZ2" => FileCompression.Bzip2,
            ".XZ" => FileCompression.Xz,
            _ => FileCompression.None,
        };
    }

    /// <summary>The format of a file whose name says none; null where its content is none of records.</summary>
    public static CorpusFormat? FormatOf(string path)
    {
        if (!CorpusFile.IsNameless(path))
        {
            return null;
        }

        try
        {
            using FileStream stored = File.OpenRead(path);
            byte[] head = Head(stored);
            if (head.AsSpan().StartsWith("PAR1"u8))
            {
                return CorpusFormat.Parquet;
            }

            if (IsArrow(head))
            {
                return CorpusFormat.Arrow;
            }

            if (CompressionOf(path, head) != FileCompression.None)
            {
                using Stream text = ArchiveStream.Open(stored, int.MaxValue);
                head = new byte[HeadBytes];
                head = head[..text.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
            }

            return IsJson(head) ? CorpusFormat.Json : null;
        }
        catch (Exception e) when (CorpusPass.IsReadFailure(e))
        {
            return null;
        }
    }

    /// <summary>Whether bytes begin an Arrow file or stream.</summary>
    public static bool IsArrow(ReadOnlySpan<byte> head) =>
        head.StartsWith("ARROW1"u8) || head.StartsWith<byte>([0xFF, 0xFF, 0xFF, 0xFF]);

    /// <summary>Whether bytes begin a Git LFS pointer: the file itself was not fetched.</summary>
    public static bool IsPointer(ReadOnlySpan<byte> head) => head.StartsWith("version https://git-lfs"u8);

    /// <summary>The first bytes of a file, which is left at its beginning.</summary>
    public static byte[] Head(FileStream stored)
    {
        byte[] head = new byte[HeadBytes];
        int read = stored.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        stored.Position = 0;
        return head[..read];
    }

    // Of a list or an object; texts and numbers alone are no records.
    private static bool IsJson(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("\uFEFF"u8))
        {
            head = head[3..];
        }

        head = head.TrimStart(" \t\r\n"u8);
        return head.Length > 0 && head[0] is (byte)'{' or (byte)'[';
    }
}
