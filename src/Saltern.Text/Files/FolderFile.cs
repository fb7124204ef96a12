namespace Saltern.Files;

/// <summary>Finds a file of a model folder by its plain name; nothing outside the folder is ever opened.</summary>
internal static class FolderFile
{
    private const int LongestName = 255; // bytes, the limit of Linux file systems; characters are fewer

    /// <summary>Path of a file that lies in the folder itself.</summary>
    /// <param name="folder">Folder that the user named.</param>
    /// <param name="name">Name as a file in it says it.</param>
    /// <exception cref="DataFormatException">The name is no plain file name, or the file is missing or a link.</exception>
    public static string Find(string folder, string name)
    {
        if (
            name.Length is 0 or > LongestName
            || name is "." or ".."
            || name.Any(c => c is '/' or '\\' || char.IsControl(c))
        )
        {
            throw new DataFormatException(
                $"{folder}: '{Shown(name)}' is not the plain name of a file in this folder. Files elsewhere are not read."
            );
        }

        var file = new FileInfo(Path.Combine(folder, name));
        if (file.LinkTarget is string target)
        {
            throw new DataFormatException(
                $"{file.FullName} is a link to {target}. Links in a model folder are not followed: copy the folder with 'cp -rL' first."
            );
        }

        if (file.Exists)
        {
            return file.FullName;
        }

        throw new DataFormatException($"{folder} has no file '{name}'.");
    }

    /// <summary>Whether the folder has an entry of that name, of whatever kind.</summary>
    public static bool Exists(string folder, string name) =>
        new FileInfo(Path.Combine(folder, name)) is { } file && (file.Exists || file.LinkTarget is not null);

    /// <summary>The bytes of a small file.</summary>
    /// <param name="limit">Bytes above which the file is refused unread.</param>
    /// <exception cref="DataFormatException">The file is missing, empty or too large.</exception>
    public static byte[] ReadSmall(string path, int limit)
    {
        try
        {
            // The length first: a pipe, which would wait for ever, has none.
            long length = new FileInfo(path).Length;
            if (length > 0 && length <= limit)
            {
                return File.ReadAllBytes(path);
            }

            throw new DataFormatException($"{path} has {length} bytes; from 1 to {limit} are read.");
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            throw new DataFormatException($"{path} cannot be read: {SystemLimits.Reason(e)}", e);
        }
    }

    private static string Shown(string name) =>
        string.Concat(
            (name.Length <= LongestName ? name : name[..LongestName] + "…").Select(c =>
                char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()
            )
        );
}
