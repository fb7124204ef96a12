using ZstdSharp;

namespace Saltern.Corpora;

/// <summary>Decompresses the lines of an archive, and stops where it expands as no text does.</summary>
/// <remarks>
/// Both decompressors hold a fixed window (zstd: at most 128 MiB, larger ones are refused), so a bomb can cost time but not memory; the bound on
/// the expansion ends it after 64 MiB of text.
/// </remarks>
internal static class ArchiveStream
{
    /// <summary>Opens a stored file for reading its lines.</summary>
    /// <param name="stored">The file; closed with the stream returned.</param>
    /// <param name="format">How it is stored.</param>
    /// <param name="endLine">The line that ends a whole gzip archive; <see langword="null"/> where the format shows its end by itself.</param>
    public static Stream Open(FileStream stored, CorpusFormat format, int maxExpansion, out byte[]? endLine)
    {
        endLine = null;
        return format switch
        {
            CorpusFormat.JsonLinesGzip => new BoundedExpansion(
                GzipWithEnd.Open(stored, out endLine),
                stored,
                maxExpansion
            ),
            CorpusFormat.JsonLinesZstandard => new BoundedExpansion(
                new DecompressionStream(stored, leaveOpen: false),
                stored,
                maxExpansion
            ),
            _ => stored,
        };
    }

    /// <summary>Compares, after each stretch of text, how much of the stored file it came from.</summary>
    private sealed class BoundedExpansion(Stream text, FileStream stored, int maxExpansion) : Stream
    {
        private const long Stretch = 64L << 20;

        private long _inStretch;
        private long _storedAtStart;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int read;
            try
            {
                read = text.Read(buffer);
            }
            catch (ZstdException e)
            {
                throw new InvalidDataException(e.Message, e);
            }

            _inStretch += read;
            if (_inStretch >= Stretch)
            {
                long from = stored.Position - _storedAtStart;
                if (from * maxExpansion < _inStretch)
                {
                    throw new InvalidDataException(
                        $"{from} stored bytes expand to {_inStretch}, more than {maxExpansion} times; "
                            + "if this is no archive bomb, allow a larger expansion"
                    );
                }

                (_inStretch, _storedAtStart) = (0, stored.Position);
            }

            return read;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

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
