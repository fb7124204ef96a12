using System.Globalization;
using System.Text;
using Saltern.Files;

namespace Saltern.Configuration;

/// <summary>Reads a recipe's text from disk without trusting it.</summary>
internal static class RecipeFile
{
    /// <summary>Bytes of a recipe, and characters of text given as one. The longest that ships has a few thousand.</summary>
    public const int MaxLength = 1 << 20;

    private static readonly UTF8Encoding StrictUtf8 = new(
        encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true
    );

    /// <exception cref="ConfigurationException">The file cannot be read, is too long, is not UTF-8, or is not what its first line says.</exception>
    public static string Read(string path)
    {
        byte[] bytes;
        try
        {
            using var stream = Disk.Current.OpenRead(path);
            bytes = ReadAtMost(stream, MaxLength + 1);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ConfigurationException($"{path}: there is no such recipe. Check the path.");
        }
        catch (UnauthorizedAccessException) when (Directory.Exists(path))
        {
            throw new ConfigurationException($"{path}: this is a folder. Name the recipe file in it.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: the recipe cannot be read: {error.Message}");
        }

        return Decode(bytes, path);
    }

    /// <summary>The text of a recipe that was read from elsewhere.</summary>
    /// <param name="bytes">All of the file.</param>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="ConfigurationException">It is too long, is not UTF-8, or is not what its first line says.</exception>
    public static string Decode(byte[] bytes, string path)
    {
        RefuseLongerThanLimit(bytes.Length, path);
        if (SelfChecksum.LineProblem(bytes) is string problem)
        {
            throw new ConfigurationException(
                $"{path} {problem}. Restore the file; a recipe that you have changed yourself needs its first line no longer."
            );
        }

        ReadOnlySpan<byte> text = bytes;
        if (text.StartsWith(Encoding.UTF8.Preamble))
        {
            text = text[Encoding.UTF8.Preamble.Length..];
        }

        try
        {
            return StrictUtf8.GetString(text);
        }
        catch (DecoderFallbackException error)
        {
            throw new ConfigurationException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{path}: the recipe is not UTF-8 text (byte {error.Index} of the text). Save it as UTF-8."
                )
            );
        }
    }

    /// <exception cref="ConfigurationException">The text is longer than <see cref="MaxLength"/>.</exception>
    public static void RefuseLongerThanLimit(int length, string sourceName)
    {
        if (length > MaxLength)
        {
            throw new ConfigurationException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{sourceName}: longer than {MaxLength} bytes. This is no recipe; check the path."
                )
            );
        }
    }

    /// <summary>Does not believe the length that a device or a growing file claims.</summary>
    private static byte[] ReadAtMost(FileStream stream, int limit)
    {
        var read = new MemoryStream();
        byte[] buffer = new byte[1 << 14];
        int count;
        while (
            read.Length < limit
            && (count = stream.Read(buffer, 0, (int)Math.Min(buffer.Length, limit - read.Length))) > 0
        )
        {
            read.Write(buffer, 0, count);
        }

        return read.ToArray();
    }
}
