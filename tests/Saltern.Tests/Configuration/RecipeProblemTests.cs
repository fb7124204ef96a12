namespace Saltern.Tests.Configuration;

public class RecipeProblemTests
{
    [Fact]
    public void EveryProblem_IsListedInTheOrderOfTheFile()
    {
        const string Yaml = """
            sede: 3
            name: [a]
            model:
              num_attention_heads: 0
              tie_word_embeddings: yes
              vocab_size: 1.5
            distillation:
              weight: 1.3
              transition: linear_ration
            distillation: { weight: 0.2 }
            optimizer: { learning_rate: .nan, betas: [0.9, 1.0, x] }
            mixture: { wiki: 2 }
            """;

        Assert.Equal(
            [
                "r.yaml:1:1: sede is not a known key. Did you mean seed?",
                "r.yaml:2:7: name is a list, not text.",
                "r.yaml:4:3: model.hidden_size is missing. Expected: an integer.",
                "r.yaml:4:24: model.num_attention_heads = 0 is outside [1, ∞). It must divide hidden_size.",
                "r.yaml:5:24: model.tie_word_embeddings = yes is not true or false.",
                "r.yaml:6:15: model.vocab_size = 1.5 is not an integer.",
                "r.yaml:8:11: distillation.weight = 1.3 is outside [0, 1]. Use 0 to turn distillation off.",
                "r.yaml:9:15: distillation.transition = linear_ration is not one of step, linear_ratio, rkd. Did you mean linear_ratio?",
                "r.yaml:10:1: the key distillation is given twice, first at r.yaml:7:1. Remove one.",
                "r.yaml:11:29: optimizer.learning_rate = .nan is not a number.",
                "r.yaml:11:48: optimizer.betas[1] = 1.0 is outside [0, 1).",
                "r.yaml:11:53: optimizer.betas[2] = x is not a number.",
                "r.yaml:12:18: mixture.wiki = 2 is outside [0, 1]. Domains and their shares, such as { wiki: 0.7, math: 0.3 }.",
                "--set model.hidden_size: there is no '='. Write --set key.path=value, such as --set training.steps=100.",
                "--set optimizer.lr=1: optimizer.lr is not a known key. Here it is called optimizer.learning_rate.",
            ],
            RecipeText.ProblemsOf(Yaml, "model.hidden_size", "optimizer.lr=1")
        );
    }

    [Theory]
    [InlineData("distillation: { wieght: 1 }", "3:17: distillation.wieght is not a known key. Did you mean weight?")]
    [InlineData("Seed: 1", "3:1: Seed is not a known key. Did you mean seed?")]
    [InlineData(
        "model.hidden_size: 3",
        "3:1: model.hidden_size is not a known key. Write hidden_size inside the section model."
    )]
    [InlineData("learning_rate: 3", "3:1: learning_rate is not a known key. Did you mean optimizer.learning_rate?")]
    [InlineData(
        "distillation: { seed: 3 }",
        "3:17: distillation.seed is not a known key. It belongs at the top level."
    )]
    [InlineData(
        "optimizer: { momentum: 3 }",
        "3:14: optimizer.momentum is not a known key. Known here: learning_rate, betas."
    )]
    public void UnknownKey_SaysWhatWasProbablyMeant(string line, string problem) =>
        Assert.Equal("r.yaml:" + problem, RecipeText.ProblemOf(RecipeText.Least + line));

    [Theory]
    [InlineData("seed: 1_000", "3:7: seed = 1_000 is not an integer.")]
    [InlineData("seed: 0x10", "3:7: seed = 0x10 is not an integer.")]
    [InlineData(
        "seed: 9223372036854775808",
        "3:7: seed = 9223372036854775808 is outside [-9223372036854775808, 9223372036854775807]."
    )]
    [InlineData("seed: '1'", "3:7: seed = \"1\" is text, not an integer. Remove the quotes.")]
    [InlineData("seed:", "3:6: seed has no value. Expected: an integer.")]
    [InlineData("seed: null", "3:7: seed = null is not allowed. Expected: an integer.")]
    [InlineData("seed: { a: 1 }", "3:7: seed is a map, not an integer.")]
    [InlineData("device: cudda", "3:9: device = cudda is not one of cpu, cuda. Did you mean cuda?")]
    [InlineData("device: null", "3:9: device = null is not allowed. Expected: text.")]
    [InlineData("init_from:", "3:11: init_from has no value. Expected: text.")]
    [InlineData("optimizer: 3", "3:12: optimizer = 3 is not a map with the keys learning_rate, betas.")]
    [InlineData("optimizer: [3]", "3:12: optimizer is a list, not a map with the keys learning_rate, betas.")]
    [InlineData("optimizer: { betas: 0.9 }", "3:21: optimizer.betas = 0.9 is not a list.")]
    [InlineData("optimizer: { betas: [0.9] }", "3:21: optimizer.betas has 1 entry, not exactly 2.")]
    [InlineData(
        "optimizer: { betas: [0.9, ~] }",
        "3:27: optimizer.betas[1] = null is not allowed. Expected: a number."
    )]
    [InlineData("optimizer: { learning_rate: 0 }", "3:29: optimizer.learning_rate = 0 is outside (0, ∞).")]
    [InlineData(
        "optimizer: { learning_rate: 1e999 }",
        "3:29: optimizer.learning_rate = 1e999 is too large for a number."
    )]
    [InlineData("optimizer: { learning_rate: inf }", "3:29: optimizer.learning_rate = inf is not a number.")]
    [InlineData(
        "mixture: wiki",
        "3:10: mixture = wiki is not a map from names to values. Domains and their shares, such as { wiki: 0.7, math: 0.3 }."
    )]
    [InlineData("tasks: [{ name: '' }]", "3:17: tasks[0].name has 0 characters, not at least 1.")]
    [InlineData("tasks: [{ shots: 1 }]", "3:9: tasks[0].name is missing. Expected: text.")]
    [InlineData("seed: !!int '3'", "3:7: the tag tag:yaml.org,2002:int is not used in recipes. Remove it.")]
    [InlineData("model: { hidden_size: 64 }", "3:1: the key model is given twice, first at r.yaml:2:1. Remove one.")]
    [InlineData(
        "<<: { seed: 3 }",
        "3:1: merge keys (<<) are not supported. Write the keys out, or use an alias for the whole section."
    )]
    [InlineData("? [a]\n: 1", "3:3: a key is a list; keys are words.")]
    public void WrongValue_SaysFoundAllowedAndPlace(string line, string problem) =>
        Assert.Contains("r.yaml:" + problem, RecipeText.ProblemsOf(RecipeText.Least + line));

    [Fact]
    public void MissingSection_IsOneProblem() =>
        Assert.Equal(
            [
                "r.yaml:1:1: name is missing. Expected: text.",
                "r.yaml:1:1: model is missing. Expected: a map with the keys hidden_size, num_attention_heads, "
                    + "tie_word_embeddings, vocab_size.",
            ],
            RecipeText.ProblemsOf("# nothing yet\n")
        );

    [Theory]
    [InlineData(
        "a: [1, 2",
        "2:1: this is not valid YAML: While parsing a flow sequence, did not find expected ',' or ']'."
    )]
    [InlineData(
        "seed: x\na: b: c",
        "2:5: this is not valid YAML: While scanning a plain scalar value, found invalid mapping."
    )]
    [InlineData(
        "seed: x\nmodel: *nowhere",
        "2:8: alias *nowhere is used before its anchor is complete. Define it above with &nowhere."
    )]
    [InlineData("seed: &s [*s]", "1:11: alias *s is used before its anchor is complete. Define it above with &s.")]
    [InlineData("seed: 1\n---\nseed: 2", "2:1: a second YAML document begins here. Keep one; remove the line '---'.")]
    [InlineData(
        "- seed",
        "1:1: a recipe is a map of keys to values, and this is a list. Write lines such as 'seed: 1'."
    )]
    public void BadSyntax_IsToldAlone(string yaml, string problem) =>
        Assert.Equal("r.yaml:" + problem, RecipeText.ProblemOf(yaml));

    [Fact]
    public void Contradictions_AreFoundAtEveryLevelAtOnce() =>
        Assert.Equal(
            [
                "r.yaml:2:48: model.num_attention_heads = 3 does not divide hidden_size = 64.",
                "r.yaml:3:22: distillation.end = 0.2 is not after distillation.start = 0.25.",
            ],
            RecipeText.ProblemsOf(
                "name: a\nmodel: { hidden_size: 64, num_attention_heads: 3 }\ndistillation: { end: 0.2 }"
            )
        );

    [Fact]
    public void Contradiction_IsPlacedAtItsSectionWhenTheKeyIsADefault() =>
        Assert.Equal(
            "r.yaml:2:8: model.num_attention_heads = 4 does not divide hidden_size = 66.",
            RecipeText.ProblemOf("name: a\nmodel: { hidden_size: 66 }")
        );

    [Fact]
    public void Contradictions_WaitForTheValuesOfTheirRecord() =>
        Assert.Equal(
            "r.yaml:2:39: model.vocab_size = x is not an integer.",
            RecipeText.ProblemOf("name: a\nmodel: { hidden_size: 66, vocab_size: x }\ndistillation: { end: 0.2 }")
        );
}
