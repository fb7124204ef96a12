using System.Text.Json;

namespace Saltern.Tests.Interop;

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

    /// <summary>Loads and runs a file; skips the test where Node or the packages cannot be had.</summary>
    public static GgufRuntime Run(string model, IEnumerable<string> texts, IEnumerable<int[]> prompts, int greedy, int context = 96)
    {
        string packages = NodePackages.Folder(), folder = Directory.CreateTempSubdirectory("saltern-gguf-").FullName;
        try
        {
            string job = Path.Combine(folder, "job.json"), result = Path.Combine(folder, "result.json");
            File.WriteAllText(job, JsonSerializer.Serialize(new { model, texts, prompts, greedy, context }, Json));
            string error = NodePackages.Run(Path.Combine(AppContext.BaseDirectory, "Interop", "gguf_runtime.mjs"), packages, job, result);
            Assert.True(error.Length == 0, error);
            return JsonSerializer.Deserialize<GgufRuntime>(File.ReadAllText(result), Json)!;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>What @huggingface/gguf reads.</summary>
internal sealed record GgufHeader(string Architecture, int Tokens, GgufTensor[] Tensors);

/// <summary>A tensor as @huggingface/gguf reads it: the fastest dimension first, the type as ggml's number.</summary>
internal sealed record GgufTensor(string Name, long[] Shape, int Type);
