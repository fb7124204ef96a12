using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Saltern.Export;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Benchmarks;

/// <summary>The parts of <see cref="ImportComparison"/>, each in a process of its own: writing a random model, importing it, loading it, exporting it.</summary>
internal static class ImportWorkers
{
    private const int TableBytes = 1 << 24;

    // Shapes of Llama 3.2 1B and Pythia 1B.
    private static readonly Dictionary<string, TransformerConfig> Shapes = new()
    {
        ["llama"] = new TransformerConfig
        {
            VocabSize = 128_256,
            HiddenSize = 2_048,
            NumHiddenLayers = 16,
            NumAttentionHeads = 32,
            NumKeyValueHeads = 8,
            IntermediateSize = 8_192,
            MaxPositionEmbeddings = 8_192,
            RopeTheta = 500_000,
            TieWordEmbeddings = true,
        },
        ["gpt_neox"] = new TransformerConfig
        {
            VocabSize = 50_304,
            HiddenSize = 2_048,
            NumHiddenLayers = 16,
            NumAttentionHeads = 8,
            IntermediateSize = 8_192,
            MaxPositionEmbeddings = 2_048,
            LayerNormEps = 1e-5,
            HiddenAct = Activation.Gelu,
            AttentionBias = true,
            MlpBias = true,
            UseParallelResidual = true,
            PartialRotaryFactor = 0.25,
        },
    };

    /// <summary>Parameters of a family's model.</summary>
    public static long Parameters(string family) => ModelFlops.Parameters(Shapes[family].Resolve(0, 0));

    /// <summary>Writes a model in bfloat16, tensor by tensor: no more of it is in memory than a table of random values.</summary>
    public static int RandomModel(Options options)
    {
        string folder = options.Text("out", "");
        Directory.CreateDirectory(folder);
        TransformerConfig config = Shapes[options.Text("family", "llama")].Resolve(0, 0);
        File.WriteAllText(Path.Combine(folder, ModelFolder.ConfigFile), HuggingFaceConfig.Write(config).ToJsonString());
        BpeTrainer
            .Train(
                ["a text for the smallest tokenizer that there can be"],
                new BpeTrainerOptions { VocabularySize = 257, SpecialTokens = ["<|endoftext|>"] }
            )
            .Save(Path.Combine(folder, ModelFolder.TokenizerFile));
        IReadOnlyList<StoredTensor> tensors = StoredWeights.Of(config);
        byte[] header = Header(tensors);
        byte[] table = Table();
        byte[] length = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        using (FileStream file = File.Create(Path.Combine(folder, ModelFolder.WeightsFile)))
        {
            file.Write(length);
            file.Write(header);
            foreach (StoredTensor tensor in tensors)
            {
                for (long left = 2 * tensor.Count; left > 0; left -= table.Length)
                {
                    file.Write(table, 0, (int)Math.Min(left, table.Length));
                }
            }

            file.Flush(flushToDisk: true);
        }

        return Say(("bytes", new FileInfo(Path.Combine(folder, ModelFolder.WeightsFile)).Length));
    }

    /// <summary>Imports a folder.</summary>
    public static int Import(Options options)
    {
        long start = Stopwatch.GetTimestamp();
        ModelImport.Run(options.Text("from", ""), options.Text("out", ""));
        return Say(
            ("seconds", Stopwatch.GetElapsedTime(start).TotalSeconds),
            ("cpu", Environment.CpuUsage.TotalTime.TotalSeconds),
            ("peak", ProcessMemory.Peak() ?? 0)
        );
    }

    /// <summary>Loads a folder as a teacher is loaded.</summary>
    public static int Load(Options options)
    {
        NativeRuntime.Configure(tuneAllocator: true);
        torch.set_num_threads(1);
        long start = Stopwatch.GetTimestamp();
        using Transformer model = ModelFolder.Load(options.Text("from", ""), trainable: false);
        return Say(
            ("seconds", Stopwatch.GetElapsedTime(start).TotalSeconds),
            ("cpu", Environment.CpuUsage.TotalTime.TotalSeconds),
            ("peak", ProcessMemory.Peak() ?? 0)
        );
    }

    /// <summary>Exports a folder.</summary>
    public static int Export(Options options)
    {
        long start = Stopwatch.GetTimestamp();
        ModelExport.Run(
            options.Text("from", ""),
            options.Text("out", ""),
            new ExportOptions
            {
                Format = options.Text("form", "hf") == "hf" ? ExportFormat.HuggingFace : ExportFormat.Gguf,
                Type = options.Text("type", "bf16") == "bf16" ? WeightType.BF16 : WeightType.Q8,
            }
        );
        return Say(
            ("seconds", Stopwatch.GetElapsedTime(start).TotalSeconds),
            ("cpu", Environment.CpuUsage.TotalTime.TotalSeconds),
            ("peak", ProcessMemory.Peak() ?? 0)
        );
    }

    private static byte[] Header(IReadOnlyList<StoredTensor> tensors)
    {
        long at = 0;
        return JsonSerializer.SerializeToUtf8Bytes(
            tensors.ToDictionary(
                tensor => tensor.Name,
                tensor => new
                {
                    dtype = "BF16",
                    shape = tensor.Shape,
                    data_offsets = new[] { at, at += 2 * tensor.Count },
                }
            )
        );
    }

    // Numbers about ±0.02 in bfloat16, the upper half of a float32.
    private static byte[] Table()
    {
        var random = new Random(1);
        byte[] table = new byte[TableBytes];
        for (int i = 0; i < table.Length; i += 2)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(
                table.AsSpan(i),
                (ushort)(BitConverter.SingleToUInt32Bits((float)((random.NextDouble() - 0.5) * 0.08)) >> 16)
            );
        }

        return table;
    }

    private static int Say(params (string Name, double Value)[] figures)
    {
        Console.WriteLine(
            "{"
                + string.Join(
                    ',',
                    figures.Select(figure =>
                        string.Create(CultureInfo.InvariantCulture, $"\"{figure.Name}\":{figure.Value}")
                    )
                )
                + "}"
        );
        return 0;
    }
}
