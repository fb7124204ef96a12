using Saltern.Configuration;

namespace Saltern.Evaluation;

/// <summary>A task, ready to be read: its definition and where its items are.</summary>
/// <param name="DataPath">Records of the items; null where they are drawn.</param>
/// <param name="ExamplePath">Items for examples; null for those measured.</param>
internal sealed record TaskFile(TaskDefinition Definition, string Source, string? DataPath, string? ExamplePath);

/// <summary>What <c>--tasks</c> names: tasks, and groups of tasks.</summary>
/// <param name="Tasks">Every task once, those of groups included.</param>
/// <param name="Missing">Tasks of groups whose data was not found; they are left out and named.</param>
internal sealed record TaskPlan(
    IReadOnlyList<TaskFile> Tasks,
    IReadOnlyList<TaskGroup> Groups,
    IReadOnlyList<string> Missing
)
{
    /// <summary>Reads task and group files.</summary>
    /// <param name="names">Files, or names of tasks that ship.</param>
    /// <param name="shots">Examples for every task that takes them, in place of what its file says; or null.</param>
    /// <param name="encoding">Encoding of every task's records, in place of what its file says; or null.</param>
    /// <exception cref="ConfigurationException">A file is wrong, the data of a task named itself is missing, or two tasks have one name.</exception>
    public static TaskPlan Read(IReadOnlyList<string> names, string? dataFolder, int? shots, string? encoding = null)
    {
        var tasks = new Dictionary<string, TaskFile>(StringComparer.Ordinal);
        var groups = new List<TaskGroup>();
        var missing = new List<string>();
        foreach (string path in names.Select(ShippedTask.Find))
        {
            if (!IsGroup(path))
            {
                TaskFile file =
                    ReadTask(path, dataFolder, shots, encoding, out string name)
                    ?? throw NoData(name, path, dataFolder);
                Add(tasks, file);
                continue;
            }

            TaskGroup group = RecipeReader.Read<TaskGroup>(path, []);
            groups.Add(group);
            foreach (string task in group.Domains.SelectMany(domain => domain.Tasks))
            {
                string inside = Path.Combine(Path.GetDirectoryName(path) ?? "", task + ".yaml");
                if (ReadTask(inside, dataFolder, shots, encoding, out string name) is TaskFile file)
                {
                    if (name != task || !TaskMetrics.IsHigherBetter(file.Definition.Measured[0]))
                    {
                        throw new ConfigurationException(
                            $"{inside}, of the group {group.Group}, has the name {name} and measures "
                                + $"{TaskMetrics.NameOf(file.Definition.Measured[0])} first. "
                                + "Tasks of a group are named as their files, and averages need scores of which more "
                                + "is better."
                        );
                    }

                    Add(tasks, file);
                }
                else
                {
                    missing.Add(name);
                }
            }
        }

        if (tasks.Count > 0)
        {
            return new TaskPlan([.. tasks.Values], groups, [.. missing.Distinct()]);
        }

        throw new ConfigurationException(
            $"No data was found for any task of the group. Missing: {string.Join(", ", missing)}. Give their folder by --data-dir."
        );
    }

    /// <summary>Whether a file is a group's.</summary>
    internal static bool IsGroup(string path) =>
        RecipeFile.Read(path).Split('\n').Any(line => line.StartsWith("group:", StringComparison.Ordinal));

    private static TaskFile? ReadTask(string path, string? dataFolder, int? shots, string? encoding, out string name)
    {
        TaskDefinition definition = RecipeReader.Read<TaskDefinition>(path, []);
        name = definition.Task;
        if (shots is int count && definition.TakesExamples)
        {
            definition = definition with { Shots = count };
        }

        definition = definition with { Encoding = encoding ?? definition.Encoding };

        if (definition.Kind == TaskKind.Induction)
        {
            return new TaskFile(definition, path, DataPath: null, ExamplePath: null);
        }

        string folder = Path.GetDirectoryName(path) ?? "";
        string? data = TaskItemReader.Find(definition.Data ?? definition.Task, dataFolder, folder);
        string? examples = null;
        if (definition.ExampleData is string wanted && definition.Shots > 0)
        {
            examples =
                TaskItemReader.Find(wanted, dataFolder, folder)
                ?? throw NoData($"{name} (example_data)", path, dataFolder);
        }

        return data is null ? null : new TaskFile(definition, path, data, examples);
    }

    private static void Add(Dictionary<string, TaskFile> tasks, TaskFile file)
    {
        if (
            !tasks.TryAdd(file.Definition.Task, file)
            && Path.GetFullPath(tasks[file.Definition.Task].Source) != Path.GetFullPath(file.Source)
        )
        {
            throw new ConfigurationException(
                $"{file.Source} and {tasks[file.Definition.Task].Source} both define the task {file.Definition.Task}. Rename one."
            );
        }
    }

    private static ConfigurationException NoData(string task, string path, string? dataFolder) =>
        new(
            $"The data of the task {task} ({path}) was found neither in "
                + $"{dataFolder ?? "--data-dir (not given)"} nor beside the task file. "
                + $"It is a file of records ({Corpora.RecordFile.Endings}); give its folder by --data-dir."
        );
}
