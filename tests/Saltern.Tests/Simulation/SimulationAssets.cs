using Saltern.Batches;
using Saltern.Cli.Demo;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Tests.Simulation;

/// <summary>What the simulated commands read and no fault touches: a little text, a tokenizer, a data set, a model, a teacher pass; made once.</summary>
internal sealed class SimulationAssets : IDisposable
{
    private const int SequenceLength = 16;
    private static readonly Lazy<SimulationAssets> Instance = new(() => new SimulationAssets());
    private readonly TemporaryFolder _folder = new();

    private SimulationAssets()
    {
        Texts =
        [
            .. Enumerable
                .Range(0, 3)
                .Select(i =>
                    _folder.Write(
                        $"text/{(char)(97 + i)}.txt",
                        string.Join("\n\n", GeneratedText.Generate((ulong)i, 3_000).Select(document => document.Text))
                    )
                ),
        ];
        Tokenizer = BpeTrainer.Train(
            Texts.Select(File.ReadAllText),
            new BpeTrainerOptions { VocabularySize = 270, SpecialTokens = ["<|endoftext|>"] }
        );
        Tokenizer.Save(_folder["tokenizer.json"]);
        TokenizerJson = File.ReadAllText(_folder["tokenizer.json"]);
        DatasetBuilder.Build(
            GeneratedText.Generate(9, 3_000),
            null,
            Tokenizer,
            DataFolder,
            new DatasetBuilderOptions { ValidPercent = 20, Threads = 1 }
        );
        Data = TokenDataset.Open(DataFolder);
        Shape = new TransformerConfig
        {
            HiddenSize = 8,
            NumHiddenLayers = 1,
            NumAttentionHeads = 2,
            NumKeyValueHeads = 1,
            IntermediateSize = 8,
            TieWordEmbeddings = true,
            VocabSize = Tokenizer.VocabularySize,
            MaxPositionEmbeddings = SequenceLength,
        }.Resolve(Tokenizer.VocabularySize, SequenceLength);
        using (var model = new Transformer(Shape, trainable: false))
        {
            model.Initialize(3);
            Directory.CreateDirectory(ModelFolderPath);
            ModelFolder.Save(ModelFolderPath, model);
        }

        File.WriteAllText(Path.Combine(ModelFolderPath, ModelFolder.TokenizerFile), TokenizerJson);
    }

    public static SimulationAssets Shared => Instance.Value;

    public IReadOnlyList<string> Texts { get; }

    public BpeTokenizer Tokenizer { get; }

    public string TokenizerJson { get; }

    public TransformerConfig Shape { get; }

    public TokenDataset Data { get; }

    public string DataFolder => _folder["data"];

    public string ModelFolderPath => _folder["model"];

    public DataConfig DataConfig => new() { Path = DataFolder, SequenceLength = SequenceLength };

    /// <summary>A folder for what is made once besides.</summary>
    public string Scratch(string name) => Directory.CreateDirectory(_folder[name]).FullName;

    public SampleReader Reader =>
        SampleReader.Create([.. Data.Domains.Select(domain => domain.Train)], DataConfig, null, Tokenizer);

    public void Dispose()
    {
        Data.Dispose();
        _folder.Dispose();
    }
}
