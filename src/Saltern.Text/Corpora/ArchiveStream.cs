using SharpCompress.Compressors;
using SharpCompress.Compressors.BZip2;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Saltern.Corpora;

/// <summary>Decompresses an archive, whichever its first bytes say it is, and stops where it expands as no text does.</summary>
/// <remarks>
/// The decompressors hold a window (zstd: at most 2 GiB, which <c>zstd --long=31</c> asks for, and no more of it than the text fills), so a bomb can
/// cost time but not memory; the bound on the expansion ends it after 64 MiB of text.
/// </remarks>
internal static class ArchiveStream
{
    private const int MaxWindowLog = 31;

    /// <summary>Opens a stored file for reading its text.</summary>
    /// <param name="stored">The file, at its beginning; closed with the stream returned.</param>
    /// <exception cref="UnreadableFileException">It is a Git LFS pointer, or an archive of nothing.</exception>
    public static Stream Open(FileStream stored, int maxExpansion)
    {
        byte[] head = FileContent.Head(stored);
        if (FileContent.IsPointer(head))
        {
            throw new UnreadableFileException(
                "is a Git LFS pointer, not the file itself; fetch it with 'git lfs pull'"
            );
        }

        if (head.Length == 0 && CorpusFile.IsCompressed(stored.Name))
        {
            throw new UnreadableFileException("is empty, not even an archive of nothing");
        }

        return FileContent.CompressionOf(stored.Name, head) switch
        {
            FileCompression.Gzip => Bounded(new WholeGzip(stored), stored, maxExpansion),
            FileCompression.Zstandard => Bounded(Zstandard(stored), stored, maxExpansion),
            FileCompression.Bzip2 => Bounded(Bzip2(stored), stored, maxExpansion),
            FileCompression.Xz => Bounded(new WholeXz(stored), stored, maxExpansion),
            _ => stored,
        };
    }

    private static BoundedExpansion Bounded(Stream text, FileStream stored, int maxExpansion) =>
        new(text, stored, maxExpansion);

    // It reads the first block at once, and throws of itself where that is damaged.
    private static BZip2Stream Bzip2(FileStream stored)
    {
        try
        {
            return BZip2Stream.Create(
                stored,
                CompressionMode.Decompress,
                decompressConcatenated: true,
                leaveOpen: true,
                tolerateTruncatedStream: false
            );
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    // Each library has exceptions of its own, and some let those of their inner workings out.
    private static bool IsDamage(Exception e) => !CorpusPass.IsReadFailure(e) && e is not OutOfMemoryException;

    private static DecompressionStream Zstandard(FileStream stored)
    {
        var text = new DecompressionStream(stored, leaveOpen: true);
        text.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, MaxWindowLog);
        return text;
    }

    /// <summary>Compares, after each stretch of text, how much of the stored file it came from.</summary>
    private sealed class BoundedExpansion(Stream text, FileStream stored, int maxExpansion) : ForwardStream
    {
        private const long Stretch = 64L << 20;

        private long _inStretch;
        private long _storedAtStart;

        public override int Read(Span<byte> buffer)
        {
            int read;
            try
            {
                read = text.Read(buffer);
            }
            catch (ZstdException e) when (e.Code == ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge)
            {
                throw new UnreadableFileException(
                    "asks for a Zstandard window of more than 2 GiB; compress it again with a shorter one (zstd --long=31 or less)",
                    e
                );
            }
            catch (Exception e) when (IsDamage(e))
            {
                throw new InvalidDataException(e.Message, e);
            }

            _inStretch += read;
            if (_inStretch >= Stretch)
            {
                long from = stored.Position - _storedAtStart;
                if (from * maxExpansion < _inStretch)
                {
                    throw new UnreadableFileException(
                        $"expands as no text does: {from} stored bytes expand to {_inStretch}, more than {maxExpansion} times; "
                            + "if this is no archive bomb, allow a larger expansion"
                    );
                }

                (_inStretch, _storedAtStart) = (0, stored.Position);
            }

            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                text.Dispose();
                stored.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
