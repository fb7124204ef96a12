namespace Saltern.Evaluation;

/// <summary>A task, or a group of tasks, that lies beside the program.</summary>
/// <param name="Name">What <c>--tasks</c> and recipes call it.</param>
/// <param name="Purpose">What it measures, from the file's first line.</param>
/// <param name="IsGroup">Whether it is a group.</param>
/// <param name="Path">Where it is.</param>
internal sealed record ShippedTask(string Name, string Purpose, bool IsGroup, string Path)
{
    // The folder's name in a clone as beside the program: recipes that ship say tasks/NAME.yaml.
    private const string FolderName = "tasks";
    private const string Ending = ".yaml";

    private static string Folder => System.IO.Path.Combine(AppContext.BaseDirectory, FolderName);

    /// <summary>All of them by name; none where a program of one's own brings none.</summary>
    public static IReadOnlyList<ShippedTask> All()
    {
        if (!Directory.Exists(Folder))
        {
            return [];
        }

        return [.. Directory.EnumerateFiles(Folder, "*" + Ending).Order(StringComparer.Ordinal).Select(Of)];
    }

    /// <summary>Path behind what a user wrote: a file, or the name of a shipped task, alone or as <c>tasks/NAME.yaml</c>.</summary>
    /// <exception cref="ConfigurationException">There is neither.</exception>
    public static string Find(string name)
    {
        if (File.Exists(name))
        {
            return name;
        }

        string folder = System.IO.Path.GetDirectoryName(name) ?? "";
        if (folder is "" or FolderName)
        {
            string shipped = System.IO.Path.Combine(Folder, System.IO.Path.GetFileName(name));
            string? found = new[] { shipped, shipped + Ending }.FirstOrDefault(File.Exists);
            if (found is not null)
            {
                return found;
            }
        }

        IReadOnlyList<ShippedTask> all = All();
        string names =
            all.Count == 0 ? "none ship with this program" : string.Join(", ", all.Select(task => task.Name));
        throw new ConfigurationException($"{name} is neither a task file nor one of the tasks that ship: {names}.");
    }

    private static ShippedTask Of(string path)
    {
        string first = File.ReadLines(path).FirstOrDefault(line => line.StartsWith('#')) ?? "#";
        return new ShippedTask(
            System.IO.Path.GetFileNameWithoutExtension(path),
            first.TrimStart('#').Trim(),
            TaskPlan.IsGroup(path),
            path
        );
    }
}
