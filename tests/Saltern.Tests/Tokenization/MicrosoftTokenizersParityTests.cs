using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using Saltern.Tokenization;
using BpeTokenizer = Saltern.Tokenization.BpeTokenizer;

namespace Saltern.Tests.Tokenization;

/// <summary>Ids against an independent implementation that is given the same vocabulary, merges and pattern.</summary>
public class MicrosoftTokenizersParityTests
{
    private const string EndOfText = "<|endoftext|>";

    [Theory]
    [InlineData(SplitPattern.Gpt2)]
    [InlineData(SplitPattern.Llama3)]
    [InlineData(SplitPattern.Qwen2)]
    public void Ids_AreEqual_OnTextOfManyKinds(SplitPattern pattern)
    {
        var ours = TestTraining.Train(
            SampleTexts.All,
            new BpeTrainerOptions
            {
                VocabularySize = 900,
                Pattern = pattern,
                MinimumFrequency = 1,
            }
        );
        var theirs = Theirs(ours);

        // Without code points beyond U+FFFF and 'ſ: there .NET's Regex, which they use, departs from Unicode.
        foreach (var text in SampleTexts.BasicPlane.Where(text => !text.Contains("'ſ", StringComparison.Ordinal)))
        {
            Assert.Equal(theirs.EncodeToIds(text), ours.Encode(text, allowSpecial: true)); // theirs always finds special tokens
        }
    }

    [Fact]
    public void Ids_AreEqual_WithSpecialTokens()
    {
        var ours = TestTraining.Train(SampleTexts.All, new BpeTrainerOptions { VocabularySize = 400 });
        var text = $"one{EndOfText}two {EndOfText}{EndOfText}\n three";

        Assert.Equal(Theirs(ours).EncodeToIds(text), ours.Encode(text, allowSpecial: true));
    }

    [Fact]
    public void Ids_AreEqual_OnTheValidationTextsOfAllDomains()
    {
        if (SharedData.Folder is null)
        {
            Assert.Skip("no shared/data beside the repository");
        }

        var documents = Directory
            .GetFiles(Path.Combine(SharedData.Folder, "corpus"), "*.valid.jsonl.gz")
            .Order()
            .SelectMany(Texts)
            .ToList();
        var ours = TestTraining.Train(documents, new BpeTrainerOptions { VocabularySize = 4096 });
        var theirs = Theirs(ours);
        var tokens = 0;
        foreach (var document in documents)
        {
            var ids = ours.Encode(document);
            tokens += ids.Length;
            Assert.Equal(theirs.EncodeToIds(document), ids);
        }

        Assert.InRange(tokens, 100_000, int.MaxValue);
    }

    private static Microsoft.ML.Tokenizers.BpeTokenizer Theirs(BpeTokenizer ours)
    {
        var definition = ours.Definition;
        var special = definition.AddedTokens.ToDictionary(token => token.Content, token => token.Id);
        var spellings = definition.Tokens.Select(token => token!.Value.Spelling).ToArray();
        var regex = new Regex(definition.PreTokenizer.Rules[0].Identity, RegexOptions.Compiled);
        return Microsoft.ML.Tokenizers.BpeTokenizer.Create(
            new BpeOptions(
                spellings
                    .Select((spelling, id) => KeyValuePair.Create(spelling, id))
                    .Where(entry => !special.ContainsKey(entry.Key))
            )
            {
                ByteLevel = true,
                Merges = definition.Merges.Select(merge => $"{spellings[merge.Left]} {spellings[merge.Right]}"),
                SpecialTokens = special,
                PreTokenizer = new RegexPreTokenizer(regex, special), // without them here, special tokens are cut as text
            }
        );
    }

    private static IEnumerable<string> Texts(string path)
    {
        using var reader = new StreamReader(
            new GZipStream(File.OpenRead(path), CompressionMode.Decompress),
            Encoding.UTF8
        );
        while (reader.ReadLine() is { } line)
        {
            using var document = JsonDocument.Parse(line);
            yield return document.RootElement.GetProperty("text").GetString()!;
        }
    }
}
