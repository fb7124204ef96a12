using System.Globalization;
using System.Text.Json;
using Saltern.Benchmarks.Data;

namespace Saltern.Benchmarks;

/// <summary>Importing, loading and exporting a model of a billion parameters in bfloat16: seconds, and memory beside what the weights take.</summary>
internal static class ImportComparison
{
    /// <summary>Writes each family's model where it is not there yet, has it imported and loaded, and writes <c>import.md</c>.</summary>
    public static int Run(Options options)
    {
        var load = new OtherLoad();
        string at = options.Text("folder", Path.Combine(Path.GetTempPath(), "saltern-import"));
        List<string> lines =
        [
            "Random weights in the family's own files, written beforehand, in the system's file cache if there was room. "
                + "`import` converts to float32 and flushes to the disk; loading widens to float32 in memory; "
                + "export goes from file to file.",
            "Each row a process of its own; processor time includes its start and the system's copying. "
                + "Peak is VmHWM, all that the process ever held, runtime and libtorch included; "
                + "beside it, it as a share of the weights in float32.",
            "",
            "| model | parameters | file, MB | what | seconds | of them processor time | peak, MB | peak / weights in float32 |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ];
        foreach (string family in options.Text("families", "llama,gpt_neox").Split(','))
        {
            string source = Path.Combine(at, family);
            string target = Path.Combine(at, family + "-imported");
            Remove(target);
            if (!Directory.Exists(source))
            {
                Worker.Own($"random-model --family {family} --out {source}");
            }

            JsonElement imported = Worker.Own($"import-model --from {source} --out {target}");
            JsonElement loaded = Worker.Own($"load-model --from {source}");
            JsonElement again = Worker.Own($"load-model --from {target}");
            double parameters = ImportWorkers.Parameters(family);
            double bytes = 2 * parameters;
            string name = string.Create(CultureInfo.InvariantCulture, $"{family} | {parameters / 1e6:0}M");
            lines.Add(Row(name, bytes, "import", imported, parameters));
            lines.Add(Row(name, bytes, "load", loaded, parameters));
            lines.Add(Row(name, 4 * parameters, "load what was imported", again, parameters));
            foreach ((string form, string type) in new[] { ("hf", "bf16"), ("gguf", "bf16"), ("gguf", "q8_0") })
            {
                string exported = Path.Combine(at, $"{family}-{form}-{type}");
                Remove(exported);
                lines.Add(
                    Row(
                        name,
                        bytes,
                        $"export to {form} {type}",
                        Worker.Own($"export-model --from {source} --out {exported} --form {form} --type {type}"),
                        parameters
                    )
                );
                Remove(exported);
            }

            Remove(target);
            if (!options.Has("keep"))
            {
                Remove(source);
            }
        }

        ResultFile.Write(
            "import",
            "dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- import",
            load,
            lines,
            "TorchSharp",
            "Saltern.Core"
        );
        return 0;
    }

    private static string Row(string name, double bytes, string what, JsonElement line, double parameters)
    {
        double seconds = Worker.Number(line, "seconds");
        double peak = Worker.Number(line, "peak");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {bytes / 1e6:0} | {what} | {seconds:0.0} | {Worker.Number(line, "cpu"):0.0} | {peak / 1e6:0} "
                + $"| {peak / (4 * parameters):0.00} |"
        );
    }

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else if (File.Exists(path))
        {
            File.Delete(path);
        }
    }
}
