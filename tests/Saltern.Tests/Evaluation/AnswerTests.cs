using Saltern.Evaluation;

namespace Saltern.Tests.Evaluation;

public class AnswerTests
{
    [Theory]
    [InlineData("The cat sat.", "a cat sat down", 0.8)] // cat sat; cat sat down: 2·2/(2 + 3)
    [InlineData("cat cat", "cat", 2.0 / 3)] // a word counts as often as it is in both
    [InlineData("dog", "cat", 0.0)]
    [InlineData("the", "", 1.0)] // nothing left of either
    [InlineData("", "cat", 0.0)]
    public void F1_HandWorked(string answer, string reference, double expected) =>
        Assert.Equal(expected, AnswerText.F1(answer, reference), 12);

    [Theory]
    [InlineData("The cat sat", "the cat ran", 0.5)] // {the cat, cat sat}, {the cat, cat ran}: 2·1/4
    [InlineData("the-cat sat", "the cat sat", 1.0)]
    [InlineData("a b a b", "a b", 0.5)] // {ab, ba, ab}, {ab}: 2·1/(3 + 1)
    [InlineData("cat", "cat", 0.0)] // one word has no pair
    public void Rouge2_HandWorked(string answer, string reference, double expected) =>
        Assert.Equal(expected, AnswerText.Rouge2(answer, reference), 12);

    [Fact]
    public void Numbers_AreTakenAndCompared()
    {
        // The rules of gsm8k.yaml.
        var rules = new AnswerRules
        {
            Pattern = "(-?[$0-9.,]{2,})|(-?[0-9]+)",
            TakeLast = true,
            Remove = [",", "\\$", "\\.$"],
        };
        Assert.True(rules.AreEqual(rules.Extract("12 + 3 = 15, so she pays $1,234."), "1234"));
        Assert.True(rules.AreEqual(rules.Extract("That is 7"), "7"));
        Assert.False(rules.AreEqual(rules.Extract("That is 70"), "7"));
        Assert.Equal("", rules.Extract("none"));
        Assert.Equal("12", (rules with { TakeLast = false }).Extract("12 and 13"));
    }

    [Fact]
    public void CasePunctuationAndArticles_CountAsTheTaskSays()
    {
        Assert.True(new AnswerRules { IgnorePunctuation = true, IgnoreArticles = true }.AreEqual("The  Cat!", "cat"));
        Assert.False(new AnswerRules().AreEqual("the cat", "cat"));
        Assert.False(new AnswerRules { IgnoreCase = false }.AreEqual("Cat", "cat"));
        Assert.Single(new AnswerRules { Pattern = "(" }.Validate());
    }

    [Fact]
    public void APatternThatGoesBackAndForth_IsNamed()
    {
        string answer = new string('a', 40) + "b";
        string Refused(AnswerRules rules, Action<AnswerRules> use) =>
            Assert.Throws<DataFormatException>(() => use(rules)).Message;
        Assert.StartsWith(
            "The task's pattern ^(a+)+$ takes longer than 1 s on one answer",
            Refused(new AnswerRules { Pattern = "^(a+)+$" }, rules => rules.Extract(answer)),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "The task's pattern ^(a+)+$ takes longer than 1 s on one answer",
            Refused(new AnswerRules { Remove = ["^(a+)+$"] }, rules => rules.AreEqual(answer, "")),
            StringComparison.Ordinal
        );
    }
}
