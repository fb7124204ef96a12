using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Saltern.Batches;
using Saltern.Corpora;
using Saltern.Evaluation;
using Saltern.FineTuning;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tests.Corpora;
using Saltern.Tests.Tokenization;
using Saltern.Tokenization;

namespace Saltern.Fuzz;

/// <summary>Every reader of files from outside.</summary>
internal sealed class Readers : IDisposable
{
    private const string Records = """
        {"text":"one","domain":"wiki"}
        {"text":"twö \ud83d\ude00 \n","meta":{"pile_set_name":"books"},"n":[1,2.5e3,null,true]}
        {"broken":
        {"text":"four <|endoftext|> five","domain":"wiki"}

        """;

    private const int CacheSamples = 2;

    private static readonly TeachPlan Plan = new()
    {
        Samples = new SampleSpace("sha256:data", 4, false, "causal"),
        Tokenizer = "sha256:tokenizer",
        VocabularySize = 300,
        TeacherWeights = "sha256:weights",
        Temperature = 1,
        Mode = CacheMode.Sampled,
        Draws = 4,
        Coverage = new TeachCoverage(CacheSamples, 9, "sha256:samples", null, 2),
        ShardSamples = 16,
    };

    private readonly string _folder;
    private readonly BpeTokenizer _tokenizer;
    private readonly Dictionary<string, Reader> _readers;

    public Readers()
    {
        string? memory = Directory.Exists("/dev/shm") ? "/dev/shm" : null;
        _folder = Path.Combine(memory ?? Path.GetTempPath(), $"saltern-fuzz-{Environment.ProcessId}");
        Directory.CreateDirectory(_folder);
        _tokenizer = BpeTrainer.Train(["the salt works near the sea"], new BpeTrainerOptions { VocabularySize = 270 });
        _readers = Create().ToDictionary(reader => reader.Name);
    }

    public IReadOnlyCollection<string> Names => _readers.Keys;

    public Reader this[string name] => _readers[name];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Parquet() => new HandMadeParquet().Bytes();

    private IEnumerable<Reader> Create() =>
        [
            Corpus("records", ".jsonl", Utf8(Records)),
            Corpus("json", ".json", Utf8("""[{"text":"one","domain":"a"},{"text":"two","domain":{"x":[]}}]""")),
            Corpus("text", ".txt", Utf8("one\n\ntwo<|endoftext|>three é"), Encoding.Unicode.GetBytes("\uFEFFone")),
            Corpus("parquet", ".parquet", Parquet(), new HandMadeParquet { Gzip = true }.Bytes()),
            Corpus("arrow", ".arrow", Arrow(isStream: true), Arrow(isStream: false)),
            Corpus("gzip", ".jsonl.gz", Gzip(Utf8(Records)), [.. Gzip(Utf8(Records)), .. Gzip(Utf8(Records))]),
            Corpus("zstd", ".jsonl.zst", Zstandard(Utf8(Records))),
            Corpus("bzip2", ".jsonl.bz2", PublishedBytes.Bzip2),
            Corpus("xz", ".jsonl.xz", PublishedBytes.Xz),
            new("tokenizer", [.. Tokenizers()], ReadTokenizer, 64 << 20),
            new("safetensors", [SafeTensors()], ReadSafeTensors, Mend: MendSafeTensors),
            new(
                "index",
                [
                    Utf8(
                        """{"metadata":{"total_size":8},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"""
                    ),
                ],
                input => WeightFiles.ParseIndex("index", input)
            ),
            new("config", [.. Configs()], input => HuggingFaceConfig.Parse("config.json", input)),
            new("megatron", [Megatron(TokenType.U16), Megatron(TokenType.I32)], ReadMegatron),
            new("cache", [Cache()], ReadCache, Mend: MendCache),
            new("recipe", [.. Shipped("recipes")], input => ReadRecipe<RunConfig>(input), 64 << 20),
            new("task", [.. Shipped("tasks")], ReadTask, 64 << 20),
            new("items", [Utf8("""{"id":"1","q":"box 1:","a":"red"}""" + "\n")], ReadItems),
            new(
                "examples",
                [Utf8("""{"id":"1","prompt":"box 1:","response":" red"}""" + "\n")],
                ReadExamples,
                16 << 20
            ),
            new(
                "metrics",
                [Utf8("""{"step":1,"train/loss":5.5,"lr":1e-3}""" + "\n" + """{"step":2,"train/loss":5.25}""" + "\n")],
                input => MetricsTable.Parse(Encoding.UTF8.GetString(input).Split('\n'), "metrics.jsonl")
            ),
            new(
                "result",
                [
                    Utf8(
                        """{"schema":"saltern.result/1","name":"a","arm":"salt","seed":1,"steps":2,"tasks":[],"final":null}"""
                    ),
                ],
                input => RunResult.Parse(Encoding.UTF8.GetString(input), "result.json")
            ),
            new("template", [Utf8("{% for message in messages %}{{ message['content'] }}{% endfor %}")], ReadTemplate),
        ];

    private static void ReadTemplate(byte[] input) => JinjaTemplate.Texts(Encoding.UTF8.GetString(input));

    // bzip2 takes 8 MB for a block of any size, Arrow has buffers of its own.
    private Reader Corpus(string name, string extension, params byte[][] samples) =>
        new(name, samples, input => ReadCorpus(input, extension), 64 << 20);

    // A small record and a small expansion, so that what is behind these limits is reached.
    private void ReadCorpus(byte[] input, string extension)
    {
        string path = Put("corpus" + extension, input);
        var reader = new CorpusReader(
            [path],
            new CorpusReaderOptions
            {
                MaxBrokenShare = 1,
                MaxRecordBytes = 1 << 20,
                MaxExpansion = 50,
            }
        );
        foreach (TextDocument document in reader.ReadDocuments())
        {
            _ = document.Text.Length + document.Domain.Length;
        }
    }

    private IEnumerable<byte[]> Tokenizers()
    {
        _tokenizer.Save(Path.Combine(_folder, "tokenizer.json"));
        yield return File.ReadAllBytes(Path.Combine(_folder, "tokenizer.json"));
        foreach (
            JsonObject form in (JsonObject[])
                [
                    Small(SentencePieceFiles.Llama()),
                    Small(SentencePieceFiles.LlamaMetaspace()),
                    Small(SentencePieceFiles.Gemma()),
                ]
        )
        {
            yield return Utf8(form.ToJsonString());
        }

        yield return Utf8(
            """
            {"added_tokens":[{"id":0,"content":"</s>","special":true,"single_word":false,"lstrip":false,"rstrip":true,"normalized":false}],
             "normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]},
             "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
             "decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
             "model":{"type":"Unigram","unk_id":1,"vocab":[["</s>",0],["<unk>",0],["▁a",-1.5],["b",-2.5],["ab",-3]],"byte_fallback":false}}
            """
        );
    }

    // The first merges alone: what a reader does with a thousand it does with ten.
    private static JsonObject Small(JsonObject root)
    {
        if (root["model"]?["merges"] is JsonArray merges)
        {
            while (merges.Count > 10)
            {
                merges.RemoveAt(10);
            }
        }

        return root;
    }

    private static void ReadTokenizer(byte[] input)
    {
        BpeTokenizer tokenizer = BpeTokenizer.Parse("tokenizer.json", input);
        int[] ids = tokenizer.Encode("The salt, 12 works  near\n\nthe séa <|endoftext|>", allowSpecial: true);
        _ = tokenizer.Decode(ids);
    }

    private byte[] SafeTensors()
    {
        string path = Path.Combine(_folder, "sample.safetensors");
        SafeTensorsFile.WriteFloat32(
            path,
            [("a", [2, 3], () => new byte[24]), ("b", [4], () => new byte[16])],
            new Dictionary<string, string> { ["format"] = "pt" }
        );
        return File.ReadAllBytes(path);
    }

    // As a model's folder has it: header, then every tensor.
    private void ReadSafeTensors(byte[] input)
    {
        string folder = Path.Combine(_folder, "weights");
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, ModelFolder.WeightsFile), input);
        using WeightFiles files = WeightFiles.Open(folder);
        foreach (string name in files.Entries.Keys)
        {
            files.Read(name, (_, _) => { });
        }
    }

    private static void MendSafeTensors(byte[] input)
    {
        const int data = 40;
        if (input.Length > data + sizeof(long))
        {
            BinaryPrimitives.WriteInt64LittleEndian(input, input.Length - data - sizeof(long));
        }
    }

    private static IEnumerable<byte[]> Configs() =>
        JsonNode
            .Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "published_models.json")))!
            .AsObject()
            .Select(model => Utf8(model.Value!.ToJsonString()));

    private static byte[] Megatron(TokenType type)
    {
        using MemoryStream stream = new();
        MegatronIndex.Write(stream, type, 3, () => [4, 1, 3]);
        return stream.ToArray();
    }

    private void ReadMegatron(byte[] input)
    {
        string path = Put("shard.idx", input);
        foreach (long bytes in (long[])[16, 32])
        {
            try
            {
                MegatronIndex.Read(path, bytes);
                MegatronIndex.Read(path, bytes, wholeDocuments: true);
            }
            catch (DataFormatException) when (bytes == 16)
            {
                // Of the other type, perhaps.
            }
        }
    }

    private byte[] Cache()
    {
        byte[] record = new byte[CacheRecord.LargestBytes(Plan)];
        byte[] Position(int best, int[] ids, byte[] counts)
        {
            int length = CacheRecord.WriteSampled(
                record,
                Plan,
                new PositionSummary(1.5f, 2.25f, 0.75f, 3),
                best,
                ids,
                counts
            );
            return record[..length];
        }

        byte[] sample =
        [
            .. Position(7, [2, 7, 299], [1, 2, 1]),
            .. Position(9, [2, 7], [1, 3]),
            .. Position(2, [2], [4]),
            .. Position(1, [1, 3], [2, 2]),
        ];
        string path = Path.Combine(_folder, "sample.cache");
        CacheShard.Write(path, Plan, [(0, 3), (0, 5)], [sample, sample], 1.5);
        return File.ReadAllBytes(path);
    }

    private void ReadCache(byte[] input)
    {
        using CacheShard shard = CacheShard.Open(Put("shard.cache", input), Plan);
        for (int row = 0; row < shard.Count; row++)
        {
            _ = shard.Find(shard.Key(row).Domain, shard.Key(row).Index);
            _ = shard.Read(row);
        }
    }

    // Checksums as whoever writes such a file would make them; the plan's hash is not touched.
    private static void MendCache(byte[] input)
    {
        int records = CacheShard.HeaderBytes + (CacheSamples * CacheShard.RowBytes);
        if (input.Length <= records)
        {
            return;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(input.AsSpan(12), CacheSamples);
        BinaryPrimitives.WriteInt64LittleEndian(input.AsSpan(16), input.Length - records);
        for (int row = 0; row < CacheSamples; row++)
        {
            Span<byte> at = input.AsSpan(CacheShard.HeaderBytes + (row * CacheShard.RowBytes), CacheShard.RowBytes);
            long begin = BinaryPrimitives.ReadInt64LittleEndian(at[16..]);
            long end = input.Length - records;
            if (row + 1 < CacheSamples)
            {
                end = BinaryPrimitives.ReadInt64LittleEndian(
                    input.AsSpan(CacheShard.HeaderBytes + ((row + 1) * CacheShard.RowBytes) + 16)
                );
            }

            if (begin >= 0 && begin <= end && end <= input.Length - records)
            {
                uint sum = CacheShard.Checksum(input.AsSpan(records + (int)begin, (int)(end - begin)));
                BinaryPrimitives.WriteUInt32LittleEndian(at[4..], sum);
            }
        }

        BinaryPrimitives.WriteUInt32LittleEndian(
            input.AsSpan(CacheShard.ChecksumAt),
            CacheShard.HeadChecksum(input.AsSpan(0, records))
        );
    }

    private static IEnumerable<byte[]> Shipped(string kind) =>
        Directory
            .GetFiles(Path.Combine(AppContext.BaseDirectory, kind), "*.yaml")
            .Order(StringComparer.Ordinal)
            .Select(File.ReadAllBytes);

    private static void ReadRecipe<T>(byte[] input)
        where T : class => Configuration.RecipeReader.Parse<T>(Encoding.UTF8.GetString(input), "recipe.yaml", []);

    private void ReadTask(byte[] input) => TaskPlan.Read([Put("task.yaml", input)], _folder, shots: null);

    private void ReadItems(byte[] input)
    {
        var task = Configuration.RecipeReader.Parse<TaskDefinition>(
            "task: colour\nkind: generate\nmax_tokens: 8\nreadings: [{ prompt: \"{q}\", answers: [a] }]\n",
            "task.yaml",
            []
        );
        TaskItemReader.Read(task, Put("items.jsonl", input));
    }

    private void ReadExamples(byte[] input)
    {
        string path = Put("examples.jsonl", input);
        new ExampleReader(new ExampleConfig { Path = path }, _tokenizer).Read(path, "data.path");
    }

    private string Put(string name, byte[] input)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, input);
        return path;
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using MemoryStream stored = new();
        using (GZipStream gzip = new(stored, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return stored.ToArray();
    }

    private static byte[] Zstandard(byte[] bytes)
    {
        using ZstdSharp.Compressor compressor = new();
        return compressor.Wrap(bytes).ToArray();
    }

    private static byte[] Arrow(bool isStream)
    {
        Schema schema = new(
            [new Field("text", StringType.Default, true), new Field("domain", StringType.Default, true)],
            null
        );
        using MemoryStream stored = new();
        using ArrowStreamWriter writer = isStream
            ? new ArrowStreamWriter(stored, schema, leaveOpen: true)
            : new ArrowFileWriter(stored, schema, leaveOpen: true);
        StringArray texts = new StringArray.Builder().Append("one").Append("two").AppendNull().Build();
        StringArray domains = new StringArray.Builder().Append("a").AppendNull().Append("b").Build();
        writer.WriteRecordBatch(new RecordBatch(schema, [texts, domains], 3));
        writer.WriteEnd();
        return stored.ToArray();
    }
}
