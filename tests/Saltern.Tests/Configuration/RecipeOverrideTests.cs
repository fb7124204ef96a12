using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

public class RecipeOverrideTests
{
    [Fact]
    public void Overrides_WinOverTheRecipe_AndLaterOnesOverEarlier()
    {
        const string Yaml = RecipeText.Least + "seed: 2\noptimizer: { learning_rate: 0.1, betas: [0.1, 0.2] }";

        SampleRecipe recipe = RecipeText.Parse(
            Yaml,
            "optimizer.learning_rate=0.2",
            "optimizer.learning_rate=0.3",
            "device=cuda"
        );

        Assert.Equal(2, recipe.Seed);
        Assert.Equal(0.3, recipe.Optimizer.LearningRate);
        Assert.Equal([0.1, 0.2], recipe.Optimizer.Betas);
        Assert.Equal("cuda", recipe.Device);
    }

    [Fact]
    public void Value_IsYaml()
    {
        SampleRecipe recipe = RecipeText.Parse(
            "{}",
            "name=a=b",
            "model={hidden_size: 8, num_attention_heads: 2}",
            "optimizer.betas=[0.5, 0.6]",
            "tasks=[{name: t}]",
            "distillation.end=1.0"
        );

        Assert.Equal("a=b", recipe.Name);
        Assert.Equal(2, recipe.Model.NumAttentionHeads);
        Assert.Equal([0.5, 0.6], recipe.Optimizer.Betas);
        Assert.Equal("t", Assert.Single(recipe.Tasks).Name);
        Assert.Equal(StepPoint.FromShare(1), recipe.Distillation!.End);
    }

    [Fact]
    public void Null_TakesAKeyBackToItsDefault()
    {
        const string Yaml =
            RecipeText.Least + "seed: 2\ndistillation: { weight: 0.1, start: 5 }\noptimizer: { learning_rate: 0.1 }";

        SampleRecipe recipe = RecipeText.Parse(Yaml, "seed=null", "distillation.weight=~", "optimizer=null");

        Assert.Equal(1, recipe.Seed);
        Assert.Equal(new SampleDistillation { Start = StepPoint.FromSteps(5) }, recipe.Distillation);
        Assert.Equal(1e-3, recipe.Optimizer.LearningRate);
    }

    [Fact]
    public void Null_DoesNotTurnAnAbsentSectionOn_ButItsKeyMustExist()
    {
        Assert.Null(RecipeText.Parse(RecipeText.Least, "distillation.weight=null").Distillation);
        Assert.Equal(
            "--set distillation.wieght=null: distillation.wieght is not a known key. Did you mean weight?",
            RecipeText.ProblemOf(RecipeText.Least, "distillation.wieght=null")
        );
    }

    [Fact]
    public void Null_BelowAbsentSectionsMustNameAKeyToo()
    {
        Assert.Null(RecipeReader.Parse<Outer>("", "r.yaml", ["middle.inner.limit=null"]).Middle);
        Assert.Equal(
            ["--set middle.inner.limt=null: middle.inner.limt is not a known key. Did you mean limit?"],
            Assert
                .Throws<ConfigurationException>(() =>
                    RecipeReader.Parse<Outer>("", "r.yaml", ["middle.inner.limt=null"])
                )
                .Problems
        );
    }

    [Fact]
    public void UnknownSectionOfTheRecipe_StaysAProblemOfTheRecipe() =>
        Assert.Equal(
            "r.yaml:3:1: modle is not a known key. Did you mean model?",
            RecipeText.ProblemOf(RecipeText.Least + "modle: {}", "modle.hidden_size=3")
        );

    [Fact]
    public void Null_OfARequiredKeyIsAProblemOfTheOverride() =>
        Assert.Equal(
            "--set name=null: name is missing. Expected: text.",
            RecipeText.ProblemOf(RecipeText.Least, "name=null")
        );

    [Fact]
    public void Null_TakesAnEntryOutOfAMap() =>
        Assert.Equal(
            ["b"],
            RecipeText.Parse(RecipeText.Least + "mixture: { a: 0.5, b: 0.5 }", "mixture.a=null").Mixture.Keys
        );

    [Fact]
    public void Problems_NameTheirSource() =>
        Assert.Equal(
            [
                "r.yaml:3:7: seed = -1 is outside [0, ∞).",
                "--set model.num_attention_heads=x: model.num_attention_heads = x is not an integer. It must divide hidden_size.",
                "--set distillation.weight=7: distillation.weight = 7 is outside [0, 1]. Use 0 to turn distillation off.",
            ],
            RecipeText.ProblemsOf(RecipeText.Least + "seed: -1", "model.num_attention_heads=x", "distillation.weight=7")
        );

    [Fact]
    public void Contradiction_IsPlacedAtTheOverrideThatMadeIt() =>
        Assert.Equal(
            "--set model.num_attention_heads=3: model.num_attention_heads = 3 does not divide hidden_size = 64.",
            RecipeText.ProblemOf(RecipeText.Least, "model.num_attention_heads=3")
        );

    [Theory]
    [InlineData("seed", "seed: there is no '='. Write --set key.path=value, such as --set training.steps=100.")]
    [InlineData("=3", "=3: '' is not a key path. Write words with dots between them, such as training.steps.")]
    [InlineData(
        "a..b=3",
        "a..b=3: 'a..b' is not a key path. Write words with dots between them, such as training.steps."
    )]
    [InlineData(
        "seed 2=3",
        "seed 2=3: 'seed 2' is not a key path. Write words with dots between them, such as training.steps."
    )]
    [InlineData("seed=", "seed=: there is no value. Use seed=null to go back to the default.")]
    [InlineData(
        "seed=[1",
        "seed=[1: this is not valid YAML: While parsing a flow sequence, did not find expected ',' or ']'."
    )]
    [InlineData("name.first=x", "name.first=x: name is text (r.yaml:1:7), so it has no key first. Set it as a whole.")]
    [InlineData(
        "model.hidden_size.x=1",
        "model.hidden_size.x=1: model.hidden_size is text (r.yaml:2:23), so it has no key x. Set it as a whole."
    )]
    public void MalformedOverride_IsAProblem(string text, string problem) =>
        Assert.Equal("--set " + problem, RecipeText.ProblemOf(RecipeText.Least, text));

    [Fact]
    public void AnUnknownOptionBehindSet_IsCalledOne() =>
        Assert.Equal(
            "--step-time is no option of this command; --help lists them. A setting is written key.path=value, without dashes.",
            RecipeText.ProblemOf(RecipeText.Least, "--step-time")
        );

    [Fact]
    public void Covers_TheKeyAndWhatIsInIt()
    {
        RecipeOverride one = RecipeOverride.Parse("data.mixture={}");

        Assert.Equal("data.mixture", one.KeyPath);
        Assert.True(one.Covers("data.mixture"));
        Assert.True(one.Covers("data.mixture.wiki"));
        Assert.True(one.Covers("data.mixture[1]"));
        Assert.False(one.Covers("data.mixtures"));
        Assert.False(one.Covers("data"));
    }

    public sealed record Outer
    {
        public Middle? Middle { get; init; }
    }

    public sealed record Middle
    {
        public Inner? Inner { get; init; }
    }

    public sealed record Inner
    {
        public int? Limit { get; init; }
    }
}
