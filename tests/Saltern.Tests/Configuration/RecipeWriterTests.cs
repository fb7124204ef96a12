using CsCheck;
using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

public class RecipeWriterTests
{
    private static readonly Gen<StepPoint> GenPoint = Gen.OneOf(
        Gen.Double[0, 1].Select(StepPoint.FromShare),
        Gen.Int[0, int.MaxValue].Select(StepPoint.FromSteps)
    );

    private static readonly string[] AwkwardTexts =
    [
        "",
        "null",
        "~",
        "yes",
        "true",
        "1e3",
        "-1",
        "a: b",
        "# a",
        "<<",
        "- a",
        " a ",
        "a\n",
        "\r\n\t",
        "\u0085\u2028\uFEFF",
        "é😀",
        "\\\"'",
        "*a",
        "&a",
        "!a",
        "[",
        "{}",
        "%",
        "a  b",
    ];

    // Anything UTF-8 can carry; a lone surrogate cannot be in a file.
    private static readonly Gen<string> GenText = Gen.OneOf(
        Gen.Int[0, AwkwardTexts.Length - 1].Select(index => AwkwardTexts[index]),
        Gen.String.Select(text => string.Concat(text.Where(c => !char.IsSurrogate(c))))
    );

    private static readonly Gen<SampleDistillation> GenDistillation = Gen.Select(
            Gen.Double[0, 1],
            Gen.Enum<SampleTransition>(),
            GenPoint,
            GenPoint.Nullable()
        )
        .Select(
            (weight, transition, start, end) =>
                new SampleDistillation
                {
                    Weight = weight,
                    Transition = transition,
                    Start = start,
                    End = end,
                }
        );

    private static readonly Gen<SampleRecipe> GenRecipe =
        from name in GenText
        from seed in Gen.Long[0, long.MaxValue]
        from initFrom in Gen.Bool.Select(GenText).Select((isGiven, text) => isGiven ? text : null)
        from heads in Gen.Int[1, 8]
        from vocabulary in Gen.Int.Nullable()
        from distillation in Gen.Bool.Select(GenDistillation).Select((isGiven, value) => isGiven ? value : null)
        from rate in Gen.Double
        from mixture in Gen.Dictionary(GenText, Gen.Double[0, 1])[0, 4]
        from tasks in Gen.Select(GenText, Gen.Int)
            .Select((task, shots) => new SampleTask { Name = "t" + task, Shots = shots })
            .List[0, 3]
        select new SampleRecipe
        {
            Name = name,
            Seed = seed,
            InitFrom = initFrom,
            Model = new SampleModel
            {
                HiddenSize = heads * 64,
                NumAttentionHeads = heads,
                VocabSize = vocabulary,
            },
            Distillation =
                distillation is { End: { } end } && end.Resolve(1000) <= distillation.Start.Resolve(1000)
                    ? distillation with
                    {
                        End = null,
                    }
                    : distillation,
            Optimizer = new SampleOptimizer { LearningRate = double.IsFinite(rate) && rate > 0 ? rate : 1 },
            Mixture = mixture,
            Tasks = tasks,
        };

    [Fact]
    public void Write_GivesEveryKeyWithItsDefault()
    {
        SampleRecipe recipe = RecipeText.Parse(
            RecipeText.Least + "distillation: { end: 1.0 }\nmixture: { a b: 1 }\ntasks: [{ name: 'no: 1' }]"
        );

        Assert.Equal(
            """
            name: a
            seed: 1
            device: cpu
            model:
              hidden_size: 64
              num_attention_heads: 4
              tie_word_embeddings: false
            distillation:
              weight: 0.5
              transition: step
              start: 0.25
              end: 1.0
            optimizer:
              learning_rate: 0.001
              betas: [0.9, 0.95]
            mixture:
              a b: 1.0
            tasks:
              - name: "no: 1"
                shots: 0

            """,
            RecipeWriter.Write(recipe)
        );
    }

    [Fact]
    public void WrittenRecipe_ReadsBackAsTheSame() =>
        GenRecipe.Sample(
            recipe =>
            {
                string written = RecipeWriter.Write(recipe);
                SampleRecipe back = RecipeText.Parse(written);

                Assert.Equal((recipe.Name, recipe.Seed, recipe.InitFrom), (back.Name, back.Seed, back.InitFrom));
                Assert.Equal((recipe.Model, recipe.Distillation), (back.Model, back.Distillation));
                Assert.Equal(recipe.Optimizer.LearningRate, back.Optimizer.LearningRate);
                Assert.Equal(recipe.Mixture, back.Mixture);
                Assert.Equal(recipe.Tasks, back.Tasks);
                Assert.Equal(written, RecipeWriter.Write(back));
                Assert.Empty(RecipeDiff.Compare(recipe, back));
            },
            iter: 1000
        );

    [Theory]
    [InlineData("runs/a-1.b", "runs/a-1.b")]
    [InlineData("two words", "two words")]
    [InlineData("1e3", "\"1e3\"")]
    [InlineData("true", "\"true\"")]
    [InlineData("~", "\"~\"")]
    [InlineData("", "\"\"")]
    [InlineData("a: b", "\"a: b\"")]
    public void Text_IsQuotedWhereAnyReaderCouldTakeItForSomethingElse(string name, string written) =>
        Assert.StartsWith(
            $"name: {written}\nshots: 0\n",
            RecipeWriter.Write(new SampleTask { Name = name }),
            StringComparison.Ordinal
        );

    [Fact]
    public void Write_RefusesWhatNoRecipeCanSay() =>
        Assert.Throws<ArgumentException>(() => RecipeWriter.Write(new SampleOptimizer { LearningRate = double.NaN }));
}
