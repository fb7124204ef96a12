using System.Globalization;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Export;

/// <summary>Exported files in llama.cpp: the same ids, probabilities and text as here.</summary>
public class GgufRuntimeTests(GgufRuntimeRuns runs) : IClassFixture<GgufRuntimeRuns>
{
    // llama.cpp looks GELU up in a table of float16 values.
    private const double GeluTolerance = 1e-2;

    public static TheoryData<string, Enum, double> Cases =>
        [
            .. from name in ExportedModel.Names
            select (name, WeightType.F32, HasGelu(name) ? GeluTolerance : Tolerance(WeightType.F32)),
            .. from type in new[] { WeightType.F16, WeightType.BF16, WeightType.Q8 }
            select ("llama", type, Tolerance(type)),
        ];

    private static bool HasGelu(string name) =>
        ((string[])["gptneox", "gpt2", "gemma", "phi2"]).Any(family =>
            name.StartsWith(family, StringComparison.Ordinal)
        );

    public static TheoryData<string> Forms => [.. GgufForms.Names];

    public static TheoryData<SplitPattern> Patterns => [.. Enum.GetValues<SplitPattern>()];

    [Theory]
    [MemberData(nameof(Cases))]
    public void ProbabilitiesAndGreedyText_AreOurs(string name, Enum stored, double tolerance)
    {
        var type = (WeightType)stored;
        CompareModels(GgufRuntimeRuns.OfModel(name, type), name, type, tolerance);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void TokenizersOfOtherForms_GiveOurIdsProbabilitiesAndText(string form)
    {
        string run = GgufRuntimeRuns.OfForm(form);
        CompareModels(run, form, WeightType.F32, Tolerance(WeightType.F32));
        (string folder, GgufJob job, GgufRuntime runtime) = runs.Of(run);
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        foreach ((int i, string text) in job.Texts.Index())
        {
            Compare(text, tokenizer.Encode(text), runtime.Ids[i]);
            Compare(text, tokenizer.Encode(text, allowSpecial: true), runtime.SpecialIds[i]);
        }

        foreach ((int i, int[] tokens) in runtime.Continuations.Index())
        {
            Assert.Equal(tokenizer.DecodeContinuation(tokens).Trim(), runtime.Texts[i].Trim());
        }

        Assert.True(runtime.Ids.Sum(ids => ids.Length) > 3_000);
    }

    private void CompareModels(string run, string name, WeightType type, double tolerance)
    {
        (string folder, GgufJob job, GgufRuntime runtime) = runs.Of(run);
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        using Transformer model = ModelFolder.Load(folder, trainable: false);
        TransformerConfig config = model.Config;

        Assert.Equal(
            (config.VocabSize, tokenizer.EndOfTextId, tokenizer.EndOfTextId, false),
            (runtime.Header.Tokens, runtime.Begin, runtime.End, runtime.AddsBegin)
        );
        Assert.Equal(name == "mistral" ? config.SlidingWindow : config.MaxPositionEmbeddings, runtime.TrainContext);
        GgufTensor embedding = runtime.Header.Tensors.Single(tensor => tensor.Name == "token_embd.weight");
        Assert.Equal([config.HiddenSize, config.VocabSize], embedding.Shape);

        double worst = 0;
        int same = 0;
        foreach ((int i, int[] prompt) in job.Prompts.Index())
        {
            double[] ours = LogProbabilities(model, prompt);
            Assert.Equal(ours.Length, runtime.Probabilities[i].Length);
            worst = Math.Max(
                worst,
                ours.Zip(runtime.Probabilities[i])
                    .Where(pair => pair.First > Math.Log(1e-6))
                    .Max(pair => Math.Abs(pair.First - Math.Log(pair.Second)))
            );

            // Ours, one whole pass a token; the rows beyond the tokenizer's ids take part, as they do there.
            List<int> text = [.. prompt];
            for (int n = 0; n < GgufRuntimeRuns.Added && text[^1] != tokenizer.EndOfTextId; n++)
            {
                double[] next = LogProbabilities(model, [.. text]);
                int best = Array.IndexOf(next, next.Max());
                int theirs = runtime.Continuations[i][n];
                if (best != theirs)
                {
                    // Either of two that are closer than both tolerances is right; what follows is another text then.
                    Assert.True(
                        next[best] - next[theirs] < 2 * tolerance,
                        $"prompt {i}, token {n}: {best} here, {theirs} there, which is {next[best] - next[theirs]:e1} below"
                    );
                    break;
                }

                same++;
                text.Add(best);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{name.PadRight(18)} {WeightTypes.NameOf(type).PadRight(5)} largest difference of log-probabilities"
                    + $" {worst:0.0e+00}, tolerance {tolerance:0e+00}; {same} greedy tokens the same"
            )
        );
        Assert.InRange(worst, 0, tolerance);
        Assert.True(type != WeightType.F32 || same >= GgufRuntimeRuns.Added, "No text was the same to its end.");
    }

    // Differences of log-probabilities where p > 1e-6, with keys and values in float32. float32: sums in another order and an exp of their own, over logits of size 10.
    // The others round the weights, and llama.cpp rounds what they are multiplied with to the same type: relative errors of 2^-12, 2^-9 and 1/254 a factor, on logits of size 10.
    private static double Tolerance(WeightType type) =>
        type switch
        {
            WeightType.F32 => 1e-4,
            WeightType.F16 => 3e-2,
            WeightType.BF16 => 0.3,
            _ => 0.6,
        };

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Ids_AreOurs(SplitPattern pattern)
    {
        (string folder, GgufJob job, GgufRuntime runtime) = runs.Of(GgufRuntimeRuns.OfPattern(pattern));
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        int tokens = 0;
        foreach ((int i, string text) in job.Texts.Index())
        {
            Compare(text, tokenizer.Encode(text), runtime.Ids[i]);
            Compare(text, tokenizer.Encode(text, allowSpecial: true), runtime.SpecialIds[i]);
            tokens += runtime.Ids[i].Length;
        }

        Assert.True(tokens > 5_000);
    }

    [Fact]
    public void ATokenThatBeginsTexts_IsPutThere()
    {
        (string folder, _, GgufRuntime runtime) = runs.Of(GgufRuntimeRuns.OfBegin);
        Assert.Equal((runs.Begin, true), (runtime.Begin, runtime.AddsBegin));
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        Assert.Equal(tokenizer.Encode("a<s>b"), runtime.Ids[0]);
        Assert.Equal(tokenizer.Encode("a<s>b", allowSpecial: true), runtime.SpecialIds[0]);
    }

    private static void Compare(string text, int[] ours, int[] theirs) =>
        Assert.True(
            ours.AsSpan().SequenceEqual(theirs),
            $"\"{text[..Math.Min(200, text.Length)]}\": {string.Join(' ', ours.Take(60))} here, {string.Join(' ', theirs.Take(60))} there"
        );

    private static double[] LogProbabilities(Transformer model, int[] tokens)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor logits = model
            .Logits(tensor(tokens.Select(id => (long)id).ToArray()).unsqueeze(0))
            .select(0, tokens.Length - 1); // [V]
        return [.. nn.functional.log_softmax(logits.to(ScalarType.Float64), 0).data<double>()];
    }
}
