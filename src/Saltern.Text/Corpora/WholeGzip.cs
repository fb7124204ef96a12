using System.IO.Compression;
using System.Text;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.GZip;

namespace Saltern.Corpora;

/// <summary>Decompresses gzip, and throws where the archive was not whole.</summary>
/// <remarks>
/// The platform's own reader takes a truncated archive for a whole one (its strict check is a process-wide switch, not ours to set). So one more gzip
/// member is appended to the stored bytes, whose text nobody can foresee: it comes out at the end if and only if everything before it was
/// complete. Behind padding, with which tapes and blocks fill up a file, it does not come out either; then the file is read a second time, by a library
/// that tells where the last member ends.
/// </remarks>
internal sealed class WholeGzip : ForwardStream
{
    private const int BufferBytes = 1 << 16;

    private readonly FileStream _stored;
    private readonly GZipStream _text;
    private readonly byte[] _mark = Encoding.ASCII.GetBytes($"end {Guid.NewGuid():N}");
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;

    // The last bytes read may be the mark, so they wait until more is there or the end is.
    private int _withheld;

    // What is wrong with the end waits until all text before it was given out.
    private Exception? _failure;

    /// <summary>Opens an archive.</summary>
    /// <param name="stored">At its beginning; stays the caller's.</param>
    public WholeGzip(FileStream stored)
    {
        MemoryStream member = new();
        using (GZipStream gzip = new(member, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(_mark);
        }

        member.Position = 0;
        (_stored, _withheld) = (stored, _mark.Length);
        _text = new GZipStream(new Concatenation(stored, member), CompressionMode.Decompress);
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        while (_withheld > 0 && _end - _start <= _withheld)
        {
            Fill();
        }

        if (_start == _end && _failure is not null)
        {
            throw _failure;
        }

        int given = Math.Min(buffer.Length, _end - _start - _withheld);
        _buffer.AsSpan(_start, given).CopyTo(buffer);
        _start += given;
        return given;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _text.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Fill()
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        int read = 0;
        try
        {
            read = _text.Read(_buffer.AsSpan(_end));
        }
        catch (InvalidDataException e)
        {
            // The platform's words are about the appended member, which a cut archive takes for its own bytes.
            (_withheld, _failure) = (0, Damage(e));
            return;
        }

        _end += read;
        if (read > 0)
        {
            return;
        }

        _withheld = 0;
        if (_buffer.AsSpan(0, _end).EndsWith(_mark))
        {
            _end -= _mark.Length;
        }
        else
        {
            _failure = WhatFollows();
        }
    }

    // The other library tells an end that is missing from bytes that are wrong.
    private IOException Damage(InvalidDataException found)
    {
        using FileStream again = File.OpenRead(_stored.Name);
        using var members = new Members(again);
        try
        {
            members.CopyTo(Null);
        }
        catch (Exception e) when (e is EndOfStreamException || (e is SharpZipBaseException && members.IsExhausted))
        {
            return new EndOfStreamException("the archive is cut short", e);
        }
        catch (SharpZipBaseException e)
        {
            return new IOException("the archive is damaged", e);
        }

        return new IOException("the archive is damaged", found);
    }

    // Null where padding follows the last member.
    private Exception? WhatFollows()
    {
        using FileStream again = File.OpenRead(_stored.Name);
        using var members = new Members(again);
        try
        {
            members.CopyTo(Null);
        }
        catch (SharpZipBaseException e)
        {
            return new EndOfStreamException("the archive is cut short", e);
        }

        again.Position = members.LastEnd;
        long behind = again.Length - again.Position;
        for (long i = 0; i < behind; i++)
        {
            if (again.ReadByte() != 0)
            {
                return new InvalidDataException($"{behind} bytes that are no gzip follow the last whole member");
            }
        }

        return null;
    }

    /// <summary>The library's reader, which ends quietly at the first byte that begins no member.</summary>
    private sealed class Members(FileStream stored) : GZipInputStream(stored)
    {
        /// <summary>Bytes up to the end of the last whole member; the one byte that was tried as a header has been taken already.</summary>
        public long LastEnd => stored.Position - inputBuffer.Available - 1;

        /// <summary>Whether all stored bytes were taken.</summary>
        public bool IsExhausted => stored.Position == stored.Length && inputBuffer.Available == 0;
    }

    private sealed class Concatenation(Stream first, Stream second) : ForwardStream
    {
        private bool _firstEnded;

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
    }
}
