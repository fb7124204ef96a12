using System.Text.Json;

namespace Saltern.Tests.Export;

/// <summary>What llama.cpp and @huggingface/gguf make of a file (gguf_runtime.mjs).</summary>
internal sealed record GgufRuntime
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public required GgufHeader Header { get; init; }

    /// <summary>Token ids of each text, special tokens taken as text.</summary>
    public required int[][] Ids { get; init; }

    /// <summary>Token ids of each text, special tokens found.</summary>
    public required int[][] SpecialIds { get; init; }

    /// <summary>Next-token probabilities after each prompt.</summary>
    public required double[][] Probabilities { get; init; }

    /// <summary>Most likely tokens after each prompt.</summary>
    public required int[][] Continuations { get; init; }

    /// <summary>Their text.</summary>
    public required string[] Texts { get; init; }

    public required int Begin { get; init; }

    public required int End { get; init; }

    public required bool AddsBegin { get; init; }

    public required int TrainContext { get; init; }

    /// <summary>Loads and runs files, one after the other in one process; skips the test where Node or the packages cannot be had.</summary>
    public static GgufRuntime[] Run(IEnumerable<GgufJob> jobs)
    {
        string packages = NodePackages.Folder();
        string folder = Directory.CreateTempSubdirectory("saltern-gguf-").FullName;
        try
        {
            string asked = Path.Combine(folder, "jobs.json");
            string results = Path.Combine(folder, "results.json");
            File.WriteAllText(asked, JsonSerializer.Serialize(jobs, Json));
            string error = NodePackages.Run(
                Path.Combine(AppContext.BaseDirectory, "Export", "gguf_runtime.mjs"),
                packages,
                asked,
                results
            );
            Assert.True(error.Length == 0, error);
            return JsonSerializer.Deserialize<GgufRuntime[]>(File.ReadAllText(results), Json)!;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>A file, the texts to make ids of, and the prompts to go on with by so many of the most likely tokens.</summary>
internal sealed record GgufJob(
    string Model,
    IReadOnlyList<string> Texts,
    IReadOnlyList<int[]> Prompts,
    int Greedy = 0,
    int Context = 96
);

/// <summary>What @huggingface/gguf reads.</summary>
internal sealed record GgufHeader(string Architecture, int Tokens, GgufTensor[] Tensors);

/// <summary>A tensor as @huggingface/gguf reads it: the fastest dimension first, the type as ggml's number.</summary>
internal sealed record GgufTensor(string Name, long[] Shape, int Type);
