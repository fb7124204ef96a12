using System.Text;

namespace Saltern.Files;

/// <summary>The bytes of a JSON file as its reader wants them.</summary>
internal static class JsonText
{
    /// <summary>UTF-8 without a byte order mark, which editors on Windows put before it; UTF-16, told by its mark, is turned into it.</summary>
    /// <param name="content">The whole file.</param>
    public static ReadOnlyMemory<byte> WithoutMark(byte[] content)
    {
        if (content is [0xEF, 0xBB, 0xBF, ..])
        {
            return content.AsMemory(3);
        }

        if (content is [0xFF, 0xFE, ..])
        {
            return Encoding.UTF8.GetBytes(Encoding.Unicode.GetString(content, 2, content.Length - 2));
        }

        if (content is [0xFE, 0xFF, ..])
        {
            return Encoding.UTF8.GetBytes(Encoding.BigEndianUnicode.GetString(content, 2, content.Length - 2));
        }

        return content;
    }
}
