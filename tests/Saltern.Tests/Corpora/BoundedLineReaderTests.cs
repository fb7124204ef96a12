using System.Text;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public class BoundedLineReaderTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "a|")]
    [InlineData("a\nbb\n", "a|bb|")]
    [InlineData("\n\na", "||a|")]
    [InlineData("12345678\n123456789\nx\n", "12345678|!|x|")]
    [InlineData("123456789", "!|")]
    [InlineData("1234567890123456789012345678901234567890\nok", "!|ok|")]
    public void Read_KeepsLinesUpToTheBoundAndSkipsLongerOnes(string text, string expected)
    {
        foreach (int step in (int[])[1, 3, 1000])
        {
            BoundedLineReader reader = new(new SlowStream(Encoding.ASCII.GetBytes(text), step), maxLineBytes: 8);
            StringBuilder found = new();
            while (reader.Read(out ReadOnlySpan<byte> line) is var result && result != LineResult.End)
            {
                found.Append(result == LineResult.TooLong ? "!" : Encoding.ASCII.GetString(line)).Append('|');
            }

            Assert.Equal(expected, found.ToString());
            Assert.Equal(expected.Count(c => c == '|'), reader.LineNumber);
        }
    }

    [Fact]
    public void Read_SkipsAnEndlessLineWithoutHoldingIt()
    {
        BoundedLineReader reader = new(new RepeatedStream((byte)'x', 1L << 30), maxLineBytes: 1 << 16);
        long before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Equal(LineResult.TooLong, reader.Read(out _));

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Equal(LineResult.End, reader.Read(out _));
    }

    /// <summary>Gives at most a few bytes a read, as networks and decompressors do.</summary>
    private sealed class SlowStream(byte[] bytes, int step) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) =>
            base.Read(buffer, offset, Math.Min(count, step));
    }

    private sealed class RepeatedStream(byte value, long length) : Stream
    {
        private long _left = length;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = (int)Math.Min(count, _left);
            buffer.AsSpan(offset, read).Fill(value);
            _left -= read;
            return read;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
