using System.IO.Compression;
using System.Text;

namespace Saltern.Corpora;

/// <summary>Decompresses gzip and shows whether the archive was whole.</summary>
/// <remarks>
/// The platform's own reader takes a truncated archive for a whole one (its strict check is a process-wide switch, not ours to set). So one more gzip
/// member is appended to the stored bytes, whose text is a line that nobody can foresee: it comes out at the end if and only if everything
/// before it was complete.
/// </remarks>
internal static class GzipWithEnd
{
    /// <summary>Opens an archive; its text is followed by a line feed and the end line.</summary>
    /// <param name="stored">The archive; closed with the stream returned.</param>
    /// <param name="endLine">The line that ends a whole archive.</param>
    public static Stream Open(Stream stored, out byte[] endLine)
    {
        endLine = Encoding.ASCII.GetBytes($"end {Guid.NewGuid():N}");
        MemoryStream member = new();
        using (GZipStream gzip = new(member, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write([(byte)'\n', .. endLine]);
        }

        member.Position = 0;
        return new GZipStream(new Concatenation(stored, member), CompressionMode.Decompress);
    }

    private sealed class Concatenation(Stream first, Stream second) : Stream
    {
        private bool _firstEnded;

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
            if (!_firstEnded)
            {
                int read = first.Read(buffer);
                if (read > 0 || buffer.IsEmpty)
                {
                    return read;
                }

                _firstEnded = true;
            }

            return second.Read(buffer);
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                first.Dispose();
                second.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
