using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Text;
using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

public class RecipeReaderTests
{
    [Fact]
    public void Parse_FillsEveryKindOfKey()
    {
        SampleRecipe recipe = RecipeText.Parse(
            """
            # purpose, cost, expected loss
            name: "small salt"
            seed: 3000000000
            device: cuda
            init_from: runs/a
            model: { hidden_size: 192, num_attention_heads: 3, tie_word_embeddings: true, vocab_size: 4096 }
            distillation:
              weight: 0.667
              transition: linear_ratio
              start: 0.15
              end: 650
            optimizer: { learning_rate: 3.0e-3, betas: [0, .5] }
            mixture: { wiki: 0.7, "a b.c": 3e-1 }
            tasks:
            - { name: first, shots: 5 }
            - name: second
            """
        );

        Assert.Equal("small salt", recipe.Name);
        Assert.Equal(3_000_000_000, recipe.Seed);
        Assert.Equal("cuda", recipe.Device);
        Assert.Equal("runs/a", recipe.InitFrom);
        Assert.Equal(
            new SampleModel
            {
                HiddenSize = 192,
                NumAttentionHeads = 3,
                TieWordEmbeddings = true,
                VocabSize = 4096,
            },
            recipe.Model
        );
        Assert.Equal(
            new SampleDistillation
            {
                Weight = 0.667,
                Transition = SampleTransition.LinearRatio,
                Start = StepPoint.FromShare(0.15),
                End = StepPoint.FromSteps(650),
            },
            recipe.Distillation
        );
        Assert.Equal(0.003, recipe.Optimizer.LearningRate);
        Assert.Equal([0, 0.5], recipe.Optimizer.Betas);
        Assert.Equal(["wiki", "a b.c"], recipe.Mixture.Keys);
        Assert.Equal([0.7, 0.3], recipe.Mixture.Values);
        Assert.Equal([new SampleTask { Name = "first", Shots = 5 }, new SampleTask { Name = "second" }], recipe.Tasks);
    }

    [Fact]
    public void Parse_LeavesDefaultsWhereTheRecipeIsSilent()
    {
        SampleRecipe recipe = RecipeText.Parse(RecipeText.Least);

        Assert.Equal(1, recipe.Seed);
        Assert.Null(recipe.Distillation);
        Assert.Null(recipe.Model.VocabSize);
        Assert.Empty(recipe.Tasks);
    }

    [Fact]
    public void PartialSection_KeepsTheDefaultsOfThePropertyNotOfTheType()
    {
        SampleRecipe recipe = RecipeText.Parse(RecipeText.Least + "optimizer: { betas: [0.8, 0.9] }");

        Assert.Equal(1e-3, recipe.Optimizer.LearningRate);
        Assert.Equal([0.8, 0.9], recipe.Optimizer.Betas);
        Assert.Equal([0.9, 0.95], RecipeText.Parse(RecipeText.Least).Optimizer.Betas);
    }

    [Fact]
    public void EmptyMap_TurnsAnOptionalSectionOn_AndNullLeavesItOff()
    {
        Assert.Equal(new SampleDistillation(), RecipeText.Parse(RecipeText.Least + "distillation: {}").Distillation);
        Assert.Null(RecipeText.Parse(RecipeText.Least + "distillation: null").Distillation);
        Assert.Null(RecipeText.Parse(RecipeText.Least + "distillation: ~").Distillation);
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("007")]
    [InlineData("1e3")]
    [InlineData("true")]
    [InlineData("'null'")]
    public void Text_StaysAsItIsWritten(string text) =>
        Assert.Equal(text.Trim('\''), RecipeText.Parse(RecipeText.Least + "init_from: " + text).InitFrom);

    [Fact]
    public void Aliases_StandForTheirAnchor()
    {
        SampleRecipe recipe = RecipeText.Parse(
            RecipeText.Least + "mixture: &m { a: 0.25, b: 0.75 }\noptimizer: { betas: [&x 0.5, *x] }"
        );

        Assert.Equal([0.5, 0.5], recipe.Optimizer.Betas);
    }

    [Fact]
    public void Override_OfAnAliasedSectionLeavesTheAnchorAlone()
    {
        const string Yaml = "one: &m { hidden_size: 8 }\ntwo: *m";

        TwoModels both = RecipeReader.Parse<TwoModels>(Yaml, "r.yaml", ["two.hidden_size=16"]);

        Assert.Equal(8, both.One.HiddenSize);
        Assert.Equal(16, both.Two.HiddenSize);
    }

    [Fact]
    public void BaseRecord_GivesItsKeysFirst()
    {
        DerivedSection section = RecipeReader.Parse<DerivedSection>("own: 2\ninherited: 1", "r.yaml", []);

        Assert.Equal((1, 2), (section.Inherited, section.Own));
        Assert.Equal("inherited: 1\nown: 2\n", RecipeWriter.Write(section));
    }

    [Fact]
    public void Read_SkipsTheByteOrderMark()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, RecipeText.Least, new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));

            Assert.Equal("a", RecipeReader.Read<SampleRecipe>(path, []).Name);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void TypesThatARecipeCannotHold_AreMistakesOfTheProgram()
    {
        Assert.Contains(
            "cannot hold System.Collections.Immutable",
            Failure<WithForeignType>(),
            StringComparison.Ordinal
        );
        Assert.Contains("WithoutDefault.Text has no default", Failure<WithoutDefault>(), StringComparison.Ordinal);
        Assert.Contains(
            "WithNullableDefault.Limit may be null, so null must be its default",
            Failure<WithNullableDefault>(),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "RangeAttribute does not apply to WithMisplacedRange.Start",
            Failure<WithMisplacedRange>(),
            StringComparison.Ordinal
        );
        Assert.Contains("The root of a recipe is a record", Failure<string>(), StringComparison.Ordinal);
    }

    private static string Failure<T>()
        where T : class =>
        Assert.Throws<InvalidOperationException>(() => RecipeReader.Parse<T>("list: []", "r.yaml", [])).Message;

    public sealed record TwoModels
    {
        public required SampleModel One { get; init; }

        public required SampleModel Two { get; init; }
    }

    public record BaseSection
    {
        public int Inherited { get; init; }
    }

    public sealed record DerivedSection : BaseSection
    {
        public int Own { get; init; }
    }

    private sealed record WithForeignType
    {
        public ImmutableArray<int> List { get; init; } = [];
    }

    private sealed record WithoutDefault
    {
        public string Text { get; init; } = null!;
    }

    private sealed record WithNullableDefault
    {
        public int? Limit { get; init; } = 3;
    }

    private sealed record WithMisplacedRange
    {
        [Range(0, 1)]
        public StepPoint? Start { get; init; }
    }
}
